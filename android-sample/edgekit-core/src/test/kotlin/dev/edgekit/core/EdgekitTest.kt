package dev.edgekit.core

import android.app.ActivityManager
import android.app.Application
import android.app.ApplicationExitInfo
import android.content.Context
import android.net.Uri
import androidx.test.core.app.ApplicationProvider
import androidx.test.ext.junit.runners.AndroidJUnit4
import dev.edgekit.testing.Demo
import dev.edgekit.testing.DemoBundle
import dev.edgekit.testing.ModelRule
import java.io.File
import kotlinx.coroutines.Job
import kotlinx.coroutines.async
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeoutOrNull
import org.junit.After
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNotEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Before
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder
import org.junit.runner.RunWith
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config
import org.robolectric.shadows.ShadowActivityManager.ApplicationExitInfoBuilder

private const val BRIGHTER = """{"screen": "display", "setting": "brightness", "action": "increase"}"""

/** Opening, with the real engine: which bundles are taken, and that the process has one engine. */
@RunWith(AndroidJUnit4::class)
@Config(application = Application::class)
class EdgekitTest {
    @get:Rule
    val files = TemporaryFolder()

    private val context: Context get() = ApplicationProvider.getApplicationContext()
    private val folder by lazy { File(files.root, "bundle").also(DemoBundle::copyTo) }
    private val open = mutableListOf<Model>()

    @Before
    fun engineOfThisComputer() = ModelRule.useEngineOfThisComputer()

    @After
    fun closeAll() = open.forEach { it.close() }

    private suspend fun open(source: BundleSource = BundleSource.Folder(folder), options: OpenOptions = OpenOptions()): Model =
        Edgekit.open(context, source, options).also { open += it }

    private inline fun <reified T : EdgekitFailure> failsWith(options: OpenOptions = OpenOptions()): T =
        assertThrows(T::class.java) { runBlocking { open(options = options) } }

    @Test
    fun `a bundle in a folder answers where it lies`() = runBlocking {
        val model = open()
        assertEquals(BRIGHTER, model.session().answer(DemoBundle.PROMPT))
        assertEquals("settings-navigator", model.info.name)
        assertEquals(File(folder, "settings-navigator.litertlm").length(), model.info.modelBytes)
        val task = model.info.tasks.single()
        assertTrue(task.oneTurn && task.format is AnswerFormat.JsonSchema && task.goldens == 8)
    }

    @Test
    fun `a bundle among the assets is copied out and checked`() = runBlocking {
        val said = mutableListOf<OpenProgress>()
        val model = open(BundleSource.Assets(), OpenOptions(onProgress = said::add))
        assertEquals(BRIGHTER, model.session().answer(DemoBundle.PROMPT))
        val copied = said.filterIsInstance<OpenProgress.Copying>().last()
        assertEquals(copied.total, copied.done)
        assertEquals(OpenProgress.Starting, said.last())
    }

    @Test
    fun `a document that was picked is copied once, and may be a model's file alone`() = runBlocking {
        val picked = BundleSource.Document(Uri.parse("content://documents/dark.litertlm"))
        var reads = 0
        shadowOf(context.contentResolver).registerInputStreamSupplier(picked.uri) { Demo.model.inputStream().also { reads++ } }
        open(picked).run {
            assertTrue(session().answer(DemoBundle.PROMPT).isNotBlank())
            assertEquals(listOf(null, null, 1024), listOf(info.recipe, info.minimumRuntime, info.contextTokens))
            assertEquals(64, info.sha256.length)
            close()
        }
        open(picked).close()
        assertEquals(1, reads)
        val other = BundleSource.Document(Uri.parse("content://documents/other"))
        shadowOf(context.contentResolver).registerInputStreamSupplier(other.uri) { "no model".byteInputStream() }
        assertThrows(BundleFailure.Corrupt::class.java) { runBlocking { open(other) } }
        Unit
    }

    @Test
    fun `what does not fit the memory is not opened, with a smaller context or by one's own wish it is`() = runBlocking {
        val need = open().run { close(); info.memory }
        fun memory(free: Long, low: Boolean = false) = shadowOf(context.getSystemService(ActivityManager::class.java)).setMemoryInfo(
            ActivityManager.MemoryInfo().apply {
                totalMem = 4_000_000_000
                availMem = free
                threshold = 100_000_000
                lowMemory = low
            },
        )
        memory(need.total)
        open().close()
        memory(need.total, low = true)
        assertEquals(need.total - 100_000_000, failsWith<EdgekitFailure.NotEnoughMemory>().available)
        memory(need.weights + need.working + need.context / 2)
        val failure = failsWith<EdgekitFailure.NotEnoughMemory>()
        assertEquals(need.total, failure.needed)
        assertEquals(2048, failure.contextTokens)
        open(options = OpenOptions(contextTokens = failure.contextTokens)).run {
            assertEquals(2048, info.contextTokens)
            assertEquals(need.context / 2, info.memory.context)
            close()
        }
        memory(need.weights)
        assertEquals(null, failsWith<EdgekitFailure.NotEnoughMemory>().contextTokens)
        open(options = OpenOptions(beyondMemory = true)).close()
    }

    @Test
    fun `no path leads out of the assets`() {
        for (path in listOf("", "..", "a/../b", "/edgekit")) {
            assertThrows(IllegalArgumentException::class.java) { runBlocking { open(BundleSource.Assets(path)) } }
        }
    }

    @Test
    fun `a second model is refused, or waits for the first to be closed`() = runBlocking {
        val first = open()
        assertEquals("bundle", failsWith<EdgekitFailure.Busy>().holder)
        val second = async { open(options = OpenOptions(waits = true)) }
        assertEquals(null, withTimeoutOrNull(300) { second.await() })
        first.close()
        assertEquals(BRIGHTER, second.await().session().answer(DemoBundle.PROMPT))
    }

    @Test
    fun `who closes a model can open another at once`() = runBlocking {
        repeat(3) { open().close() }
        assertEquals(BRIGHTER, open().session().answer(DemoBundle.PROMPT))
    }

    @Test
    fun `a failure leaves the engine to the next`() = runBlocking {
        val model = File(folder, "settings-navigator.litertlm")
        val whole = model.readBytes()
        model.writeBytes(whole.copyOf().also { it[whole.size / 2]++ })
        assertTrue("SHA-256" in failsWith<BundleFailure.Corrupt>().message!!)
        model.writeBytes(whole.copyOf(whole.size / 2))
        failsWith<BundleFailure.Corrupt>()
        model.delete()
        failsWith<BundleFailure.Missing>()
        model.writeBytes(whole)
        assertEquals(BRIGHTER, open().session().answer(DemoBundle.PROMPT))
    }

    @Test
    fun `a folder without a manifest, and one of tomorrow, are no bundles`() {
        val manifest = File(folder, "edgekit.json")
        manifest.writeText(manifest.readText().replace(Regex("\"schema_version\": \\d"), "\"schema_version\": 99"))
        assertTrue("99" in failsWith<BundleFailure.Unreadable>().message!!)
        manifest.delete()
        failsWith<BundleFailure.Missing>()
    }

    @Test
    fun `a key is asked for in all that is signed`() = runBlocking {
        val signed = OpenOptions(signer = Demo.signer.readText())
        open(options = signed).close()
        val tasks = File(folder, "tasks.json")
        tasks.writeText(tasks.readText().replace("brightness", "wifi"))
        failsWith<BundleFailure.Unsigned>(signed)
        File(folder, "edgekit.sig").delete()
        failsWith<BundleFailure.Unsigned>(signed)
        assertThrows(IllegalArgumentException::class.java) { runBlocking { open(options = OpenOptions(signer = "no key")) } }
        Unit
    }

    @Test
    fun `a model that ended the process twice is opened only when asked to be`() = runBlocking {
        val mark = File(context.noBackupFilesDir, "edgekit/starts").apply { mkdirs() }
        val identity = open().run { close(); info.sha256 }
        File(mark, identity).writeText("1")
        open().close()
        assertFalse(File(mark, identity).exists())
        File(mark, identity).writeText("2")
        failsWith<EngineFailure.Died>()
        failsWith<EngineFailure.Died>()
        open(options = OpenOptions(afterCrash = true)).close()
        open().close()
    }

    /** What the system says of the end of the process before. */
    private fun ended(reason: Int) = shadowOf(context.getSystemService(ActivityManager::class.java)).addApplicationExitInfo(
        ApplicationExitInfoBuilder.newBuilder().setReason(reason).setTimestamp(System.currentTimeMillis() + 60_000).build(),
    )

    @Test
    fun `where the system tells how the process ended, a crash is enough, and closing the app is none`() = runBlocking {
        val mark = File(context.noBackupFilesDir, "edgekit/starts").apply { mkdirs() }
        val identity = open().run { close(); info.sha256 }
        File(mark, identity).writeText("2")
        ended(ApplicationExitInfo.REASON_USER_REQUESTED)
        open().close()
        File(mark, identity).writeText("1")
        ended(ApplicationExitInfo.REASON_CRASH_NATIVE)
        failsWith<EngineFailure.Died>()
        Unit
    }

    @Test
    fun `an app that was closed while the GPU started tries it again, after a crash it does not`() = runBlocking {
        suspend fun onGpu() = open(options = OpenOptions(backend = Backend.GPU)).run { close(); fallback }
        val tried = onGpu()
        val trial = File(context.noBackupFilesDir, "edgekit/gpu-trials").listFiles()!!.single()
        trial.writeText("begun")
        ended(ApplicationExitInfo.REASON_USER_REQUESTED)
        assertEquals(tried, onGpu())
        trial.writeText("begun")
        ended(ApplicationExitInfo.REASON_CRASH_NATIVE)
        assertNotEquals(tried, onGpu())
    }

    @Test
    fun `a smaller context takes less of a prompt`() {
        val failure = assertThrows(EngineFailure.PromptTooLong::class.java) {
            runBlocking { open(options = OpenOptions(contextTokens = 40)).session().answer("my screen is too dark ".repeat(20)) }
        }
        assertTrue(failure.room < 40 && failure.tokens > 40)
    }

    @Test
    fun `who gives up while it opens leaves nothing open`() = runBlocking {
        for (moment in listOf(OpenProgress.Checking::class, OpenProgress.Starting::class)) {
            lateinit var opening: Job
            opening = launch { open(options = OpenOptions(onProgress = { if (it::class == moment) opening.cancel() })) }
            opening.join()
            assertTrue("$moment", opening.isCancelled)
        }
        assertEquals(BRIGHTER, open(options = OpenOptions(waits = true)).session().answer(DemoBundle.PROMPT))
    }
}
