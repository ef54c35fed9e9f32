package dev.edgekit.sample.screens

import android.app.ActivityManager
import android.content.ComponentCallbacks2
import androidx.compose.ui.test.hasTestTag
import androidx.compose.ui.test.junit4.v2.createEmptyComposeRule
import androidx.lifecycle.Lifecycle
import androidx.test.core.app.ActivityScenario
import androidx.test.core.app.ApplicationProvider
import androidx.test.ext.junit.runners.AndroidJUnit4
import dev.edgekit.core.OpenProgress
import dev.edgekit.core.bundle.AssetSource
import dev.edgekit.core.bundle.BundleInstaller
import dev.edgekit.core.bundle.DeviceDisk
import dev.edgekit.core.bundle.Disk
import dev.edgekit.sample.MainActivity
import dev.edgekit.sample.tasks.HostState
import dev.edgekit.testing.Demo
import java.io.ByteArrayInputStream
import java.io.File
import java.security.MessageDigest
import java.text.DecimalFormat
import java.text.DecimalFormatSymbols
import java.util.Locale
import java.util.concurrent.CopyOnWriteArrayList
import kotlin.reflect.KClass
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.cancel
import kotlinx.coroutines.launch
import org.junit.After
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder
import org.junit.runner.RunWith
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config

/** From the first launch to the task, and what is said when it does not get there. */
@RunWith(AndroidJUnit4::class)
@Config(application = AppUnderTest::class)
class LaunchTest {
    @get:Rule
    val compose = createEmptyComposeRule()

    @get:Rule
    val folder = TemporaryFolder()

    private val app = AppDriver(compose)
    private val application get() = ApplicationProvider.getApplicationContext<AppUnderTest>()
    private val watching = CoroutineScope(Dispatchers.Unconfined)

    @After
    fun stopWatching() = watching.cancel()

    /** What the app goes through from now on. */
    private fun states(): List<KClass<*>> = CopyOnWriteArrayList<KClass<*>>().also { seen ->
        watching.launch {
            application.sources.host.state.collect { seen += ((it as? HostState.Opening)?.progress ?: it)::class }
        }
    }

    private fun launched(block: () -> Unit) = ActivityScenario.launch(MainActivity::class.java).use { block() }

    private fun installer(disk: Disk = DeviceDisk, change: (String, ByteArray) -> ByteArray = { _, bytes -> bytes }) = BundleInstaller(
        assets = AssetSource { name -> ByteArrayInputStream(change(name, File(Demo.assets, name).readBytes())) },
        directory = folder.newFolder(),
        engineCaches = folder.newFolder(),
        disk = disk,
    )

    private fun changed(change: (ByteArray) -> ByteArray) =
        installer { name, bytes -> if (name.endsWith(".litertlm")) change(bytes) else bytes }

    @Test
    fun `the first launch copies and checks the bundle, the next one uses it`() {
        val first = states()
        launched { app.await(hasTestTag("prompt")) }
        assertTrue(OpenProgress.Copying::class in first)
        val copied = application.noBackupFilesDir.walk().single { it.extension == "litertlm" }
        assertEquals(digest(Demo.model), digest(copied))

        application.startAnew()
        val second = states()
        launched { app.await(hasTestTag("prompt")) }
        assertTrue(OpenProgress.Starting::class in second)
        assertFalse(OpenProgress.Copying::class in second)
    }

    @Test
    fun `a flipped byte is found`() {
        application.use(changed { bytes -> bytes.also { it[it.size / 2] = (it[it.size / 2] + 1).toByte() } })
        launched { app.awaitText("The model is damaged") }
    }

    @Test
    fun `a bundle that was cut short is found`() {
        application.use(changed { it.copyOf(it.size / 2) })
        launched { app.awaitText("The model is damaged") }
    }

    @Test
    fun `no space is told with figures`() {
        val full = object : Disk by DeviceDisk {
            override fun free(directory: File) = 1_000_000L
        }
        application.use(installer(full))
        launched {
            app.awaitText("Not enough storage space")
            val needed = DecimalFormat("0.#", DecimalFormatSymbols(Locale.ROOT)).format(Demo.model.length() / 1e6)
            app.awaitText("needs $needed\u00a0MB, but only 1\u00a0MB")
        }
    }

    @Test
    fun `a bundle for a newer engine is told with both versions`() {
        application.use(
            installer { name, bytes ->
                if (name != "edgekit.json") bytes
                else bytes.decodeToString().replace("\"minimum_runtime\": \"0.11.0\"", "\"minimum_runtime\": \"9.0.0\"").encodeToByteArray()
            },
        )
        launched { app.awaitText("It needs LiteRT-LM 9.0.0, and this app has 0.18.1") }
    }

    @Test
    fun `a manifest of a newer edgekit is told`() {
        application.use(
            installer { name, bytes ->
                if (name != "edgekit.json") bytes
                else bytes.decodeToString().replace(Regex("\"schema_version\": \\d"), "\"schema_version\": 99").encodeToByteArray()
            },
        )
        launched { app.awaitText("This app cannot read the bundle") }
    }

    @Test
    fun `out of sight it gives its memory back when the system is short of it, and is there again when it is looked at`() {
        ActivityScenario.launch(MainActivity::class.java).use { scenario ->
            app.await(hasTestTag("prompt"))
            scenario.moveToState(Lifecycle.State.CREATED)
            @Suppress("DEPRECATION")
            application.onTrimMemory(ComponentCallbacks2.TRIM_MEMORY_UI_HIDDEN)
            assertTrue(application.sources.host.state.value is HostState.Ready)
            application.onTrimMemory(ComponentCallbacks2.TRIM_MEMORY_BACKGROUND)
            app.until { application.sources.host.state.value !is HostState.Ready }
            scenario.moveToState(Lifecycle.State.RESUMED)
            app.await(hasTestTag("prompt"))
        }
        assertEquals(2, application.opened)
    }

    @Test
    fun `what the free memory has no room for is opened with a smaller context`() {
        val working = 190_000_000
        val tokenOfDemo = (1.6 * 2 * Float.SIZE_BYTES * 6 * 32).toInt() + 6144
        val memory = ActivityManager.MemoryInfo().apply {
            totalMem = 4_000_000_000
            availMem = Demo.model.length() + working + 2100 * tokenOfDemo
        }
        shadowOf(application.getSystemService(ActivityManager::class.java)).setMemoryInfo(memory)
        launched {
            app.awaitText("Not enough memory")
            app.tap("Open with a context of 2,048 tokens")
            app.awaitText("0 / 2,048")
        }
    }

    private fun digest(file: File) = MessageDigest.getInstance("SHA-256").digest(file.readBytes()).joinToString("") { "%02x".format(it) }
}
