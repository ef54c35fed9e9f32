package dev.edgekit.core.bundle

import android.app.Application
import androidx.test.core.app.ApplicationProvider
import androidx.test.ext.junit.runners.AndroidJUnit4
import dev.edgekit.core.BundleFailure
import dev.edgekit.core.engine.EngineSettings
import dev.edgekit.testing.Demo
import java.io.File
import java.io.RandomAccessFile
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.runBlocking
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder
import org.junit.runner.RunWith
import org.robolectric.annotation.Config

@RunWith(AndroidJUnit4::class)
@Config(application = Application::class)
class BundleInstallerTest {
    @get:Rule
    val temporary = TemporaryFolder()

    private val assets = MemoryAssets()
    private val bundles by lazy { File(temporary.root, "bundles") }
    private val caches by lazy { File(temporary.root, "caches") }

    private fun installer(disk: Disk = TestDisk(), directory: File = bundles) =
        BundleInstaller(assets, directory, caches, disk, Dispatchers.Unconfined)

    // --- first launch

    @Test
    fun `the first launch copies the bundle, checks it and the engine opens it`() {
        val states = installer().install().all()
        val size = Demo.model.length()
        assertEquals(InstallState.Copying(0, size), states.first())
        assertTrue(InstallState.Copying(size, size) in states && InstallState.Checking(size, size) in states)
        val bundle = (states.last() as InstallState.Ready).bundle
        assertArrayEquals(Demo.model.readBytes(), bundle.model.readBytes())
        assertEquals("Settings navigator", bundle.tasks.single().title)
        assertEquals(4096, bundle.manifest!!.contextTokens)
        assertTrue(bundle.notice!!.isNotBlank())
        Demo.loader.open(EngineSettings(bundle.model, 256)).use { assertTrue(it.countTokens("dark") > 0) }
    }

    @Test
    fun `progress never goes back`() {
        assets.files[Demo.model.name] = ByteArray(20 shl 20)
        val copied = installer().install().all().filterIsInstance<InstallState.Copying>().map { it.done }
        assertTrue("${copied.size} reports", copied.size > 4)
        assertEquals(copied.sorted(), copied)
    }

    @Test
    fun `the app's real assets are read`() {
        val context = ApplicationProvider.getApplicationContext<Application>()
        val real = BundleInstaller(AppAssets(context.assets), bundles, caches, dispatcher = Dispatchers.Unconfined)
        assertArrayEquals(Demo.model.readBytes(), real.install().bundle().model.readBytes())
    }

    // --- later launches

    @Test
    fun `a later launch copies and checks nothing`() {
        val first = installer().install().bundle()
        val states = installer().install().all()
        assertEquals(listOf(InstallState.Ready(first)), states)
        assertEquals(1, assets.modelsOpened)
    }

    @Test
    fun `a file that was written to since is checked, and copied again when it differs`() {
        val model = installer().install().bundle().model
        RandomAccessFile(model, "rw").use { it.write(1) }
        model.setLastModified(1_000_000)
        val states = installer().install().all()
        assertTrue(states.first() is InstallState.Checking)
        assertArrayEquals(Demo.model.readBytes(), (states.last() as InstallState.Ready).bundle.model.readBytes())
    }

    @Test
    fun `a file with another time but the same content is only checked`() {
        installer().install().bundle().model.setLastModified(1_000_000)
        installer().install().bundle()
        assertEquals(1, assets.modelsOpened)
        assertEquals(1, installer().install().all().size)
    }

    @Test
    fun `a file of another size is copied again`() {
        val model = installer().install().bundle().model
        RandomAccessFile(model, "rw").use { it.setLength(1000) }
        assertEquals(Demo.model.length(), installer().install().bundle().model.length())
    }

    // --- an update of the app

    @Test
    fun `an update with another bundle replaces the old one and the engine's caches`() {
        val old = installer().install().bundle()
        val oldCache = installer().engineCache(old).apply { mkdirs() }
        File(oldCache, "model.xnnpack_cache_1").writeText("packed")
        File(old.model.path + ".xnnpack_cache").writeText("packed")
        assets.update()
        val new = installer().install().bundle()
        assertFalse(old.model.exists() || oldCache.exists())
        assertArrayEquals(assets.files.getValue(Demo.model.name), new.model.readBytes())
        assertEquals(setOf(new.model.name, "${new.model.name}.checked"), new.model.parentFile!!.list()!!.toSet())
        assertTrue(installer().engineCache(new) != oldCache)
    }

    @Test
    fun `the old bundle makes room for the new one before it is copied`() {
        val old = installer().install().bundle().model
        assets.update()
        installer(TestDisk(free = 10)).install().all()
        assertFalse(old.exists())
    }

    @Test
    fun `the cache of an unchanged bundle stays`() {
        val bundle = installer().install().bundle()
        val cache = installer().engineCache(bundle).apply { mkdirs() }
        installer().install().bundle()
        assertTrue(cache.exists())
    }

    @Test
    fun `a new task is taken without copying the model again`() {
        installer().install().bundle()
        assets.files["tasks.json"] = tasksJson("""{"id": "base", "title": "T"}""", title = "Another").encodeToByteArray()
        assertEquals("Another", installer().install().bundle().title)
        assertEquals(1, assets.modelsOpened)
    }

    // --- killed in the middle

    @Test
    fun `whenever it is killed, the next launch ends with the whole file`() {
        assets.files[Demo.model.name] = assets.files.getValue(Demo.model.name) + ByteArray(9 shl 20)
        assets.update()
        val snapshots = mutableListOf<File>()
        runBlocking(Dispatchers.Unconfined) {
            installer().install().collect {
                val snapshot = File(temporary.root, "killed-${snapshots.size}")
                if (bundles.exists()) bundles.copyRecursively(snapshot) else snapshot.mkdirs()
                snapshots += snapshot
            }
        }
        assertTrue(snapshots.any { it.tree().keys.any { name -> name.endsWith(".part") } })
        for (snapshot in snapshots) finishes(snapshot)
    }

    @Test
    fun `what a kill may leave besides is cleared away`() {
        val sha256 = sha256(assets.files.getValue(Demo.model.name))
        val leftovers = listOf<File.() -> Unit>(
            { File(this, "${Demo.model.name}.part").writeBytes(ByteArray(100)) },
            { File(this, "${Demo.model.name}.part").writeBytes(Demo.model.readBytes()) },
            { File(this, Demo.model.name).writeBytes(Demo.model.readBytes()) },
            { File(this, Demo.model.name).writeBytes(ByteArray(Demo.model.length().toInt())) },
            { File(this, "${Demo.model.name}.checked").writeText("$sha256 1 1") },
            { File(this, "${Demo.model.name}.checked.part").writeText(sha256) },
        )
        leftovers.forEachIndexed { index, leave ->
            val directory = File(temporary.root, "left-$index")
            File(directory, "built-in/$sha256").apply { mkdirs() }.leave()
            finishes(directory)
        }
    }

    @Test
    fun `a launch that is left in the middle leaves nothing half-written`() {
        runBlocking(Dispatchers.Unconfined) { installer().install().first { it is InstallState.Checking } }
        assertEquals(emptyMap<String, Long>(), bundles.tree())
    }

    private fun finishes(directory: File) {
        val bundle = installer(directory = directory).install().bundle()
        assertArrayEquals(assets.files.getValue(Demo.model.name), bundle.model.readBytes())
        assertEquals(emptyList<String>(), directory.tree().keys.filter { it.endsWith(".part") })
        assertEquals(1, installer(directory = directory).install().all().size)
    }

    // --- what can be wrong

    @Test
    fun `too little space is told before anything is written`() {
        val failure = failed<BundleFailure.NoSpace>(TestDisk(free = 1000))
        assertEquals(Demo.model.length(), failure.needed)
        assertEquals(1000, failure.free)
        assertEquals(0, assets.modelsOpened)
    }

    @Test
    fun `a disk that is full in the middle leaves nothing half-written`() {
        failed<BundleFailure.NoSpace>(TestDisk(fullAfter = 2_000_000))
        assertTrue(installer().install().all().last() is InstallState.Ready)
    }

    @Test
    fun `a bundle that was changed, cut short or grew is refused`() {
        val model = assets.files.getValue(Demo.model.name)
        val changed = model.copyOf().also { it[model.size / 2] = (it[model.size / 2] + 1).toByte() }
        for (bad in listOf(changed, model.copyOf(model.size - 1), model.copyOf(model.size + 1), ByteArray(0))) {
            assets.files[Demo.model.name] = bad
            failed<BundleFailure.Corrupt>()
        }
    }

    @Test
    fun `assets that break off are refused`() {
        val broken = AssetSource { name ->
            if (name == Demo.model.name) BrokenStream(Demo.model.readBytes(), 1_500_000) else assets.open(name)
        }
        val states = BundleInstaller(broken, bundles, caches, TestDisk(), Dispatchers.Unconfined).install().all()
        assertTrue("${states.last()}", (states.last() as InstallState.Failed).failure is BundleFailure.Corrupt)
        assertEquals(emptyMap<String, Long>(), bundles.tree())
    }

    @Test
    fun `an app without a bundle, or with half of one, says so`() {
        for (name in listOf(Demo.model.name, "tasks.json", "edgekit.json")) {
            assets.files.remove(name)
            assertTrue(name in failed<BundleFailure.Missing>().message!!)
        }
    }

    @Test
    fun `a manifest that cannot be read is told as such`() {
        assets.files["edgekit.json"] = "{".encodeToByteArray()
        failed<BundleFailure.Unreadable>()
    }

    @Test
    fun `a directory that cannot be written`() {
        bundles.writeText("a file is in the way")
        assertThrows(BundleFailure.Other::class.java) { installer().install().bundle() }
    }

    private inline fun <reified F : BundleFailure> failed(disk: Disk = TestDisk()): F {
        val failure = (installer(disk).install().all().last() as InstallState.Failed).failure
        assertTrue("$failure", failure is F)
        assertEquals(emptyMap<String, Long>(), bundles.tree())
        return failure as F
    }
}
