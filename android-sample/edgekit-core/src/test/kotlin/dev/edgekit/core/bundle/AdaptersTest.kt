package dev.edgekit.core.bundle

import android.app.Application
import androidx.test.ext.junit.runners.AndroidJUnit4
import dev.edgekit.core.AnswerFormat
import dev.edgekit.core.BundleFailure
import dev.edgekit.core.Sampling
import dev.edgekit.core.tasks.adapterSupport
import dev.edgekit.core.tasks.settingsOf
import dev.edgekit.testing.Demo
import dev.edgekit.testing.task
import java.io.ByteArrayOutputStream
import java.io.File
import java.io.RandomAccessFile
import java.util.zip.ZipEntry
import java.util.zip.ZipOutputStream
import kotlinx.coroutines.Dispatchers
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder
import org.junit.runner.RunWith
import org.robolectric.annotation.Config

/** Adapters beside the model: made ready and checked like it, and refused one by one. */
@RunWith(AndroidJUnit4::class)
@Config(application = Application::class)
class AdaptersTest {
    @get:Rule
    val temporary = TemporaryFolder()

    private val assets = MemoryAssets().apply { offerAdapters("mood", "topic") }
    private val bundles by lazy { File(temporary.root, "bundles") }

    private fun installer(disk: Disk = TestDisk()) =
        BundleInstaller(assets, bundles, File(temporary.root, "caches"), disk, Dispatchers.Unconfined)

    private fun installed(disk: Disk = TestDisk()) = installer(disk).install().bundle()

    private fun Bundle.failure(id: String): BundleFailure? = failureOf(task(id)!!)

    private fun Bundle.sidecar(id: String): File = adapterOf(task(id)!!)!!.sidecar

    // --- what fits

    @Test
    fun `sidecars lie checked beside the model, each with its own settings`() {
        assets.files["adapters/mood/NOTICE"] = "Terms of the mood".encodeToByteArray()
        val bundle = installed()
        assertEquals("Several", bundle.title)
        assertEquals(listOf("base", "mood", "topic"), bundle.usable.map { it.id })
        assertArrayEquals(assets.files["adapters/mood/mood.lora.tflite"], bundle.sidecar("mood").readBytes())
        assertTrue(bundle.sidecar("mood").startsWith(bundle.model.parentFile!!))
        assertEquals("Terms of the mood", bundle.adapterOf(bundle.task("mood")!!)!!.notice)
        val settings = bundle.settingsOf(bundle.task("mood")!!)
        assertEquals(Sampling.TopP(0.5f, 40, 0.9f), settings.sampling)
        assertEquals(AnswerFormat.Regex("(mood|other)"), settings.answerFormat)
        assertEquals("{{ messages }}", settings.promptTemplate)
    }

    @Test
    fun `the model's own task goes without, but for the sidecar of no adapter`() {
        val bundle = installed()
        assertArrayEquals(assets.files["empty.lora.tflite"], bundle.adapterSupport!!.empty.readBytes())
        assertEquals(16, bundle.adapterSupport!!.rank)
        val settings = bundle.settingsOf(bundle.task("base")!!)
        assertNull(settings.adapter)
        assertNull(settings.promptTemplate)
        assertEquals(bundle.manifest!!.answerFormat, settings.answerFormat)
    }

    @Test
    fun `a later launch copies and checks nothing`() {
        val first = installed()
        assertEquals(listOf(InstallState.Ready(first)), installer().install().all())
    }

    @Test
    fun `a sidecar that was changed on the disk is copied again`() {
        val sidecar = installed().sidecar("mood")
        RandomAccessFile(sidecar, "rw").use { it.write(1) }
        sidecar.setLastModified(1_000_000)
        assertArrayEquals(assets.files["adapters/mood/mood.lora.tflite"], installed().sidecar("mood").readBytes())
    }

    @Test
    fun `an update with other adapters leaves the model, and none of the old`() {
        val old = installed()
        assets.offerAdapters("topic", "tone")
        assets.putAdapter("topic", "another".encodeToByteArray())
        val new = installed()
        assertEquals(1, assets.modelsOpened)
        assertFalse(old.sidecar("mood").exists())
        assertEquals("another", new.sidecar("topic").readText())
        assertEquals(setOf("topic", "tone"), File(new.model.parentFile, "adapters").list()!!.toSet())
    }

    // --- what does not fit

    /** One adapter is refused with a failure that tells why, and the other tasks go on. */
    private inline fun <reified F : BundleFailure> refused(vararg says: String, disk: Disk = TestDisk()) {
        val bundle = installed(disk)
        val failure = bundle.failure("mood")
        assertTrue("$failure", failure is F)
        for (text in says) assertTrue("${failure!!.message}", text in failure.message!!)
        assertNull(bundle.adapterOf(bundle.task("mood")!!))
        assertEquals(listOf("base", "topic"), bundle.usable.map { it.id })
        assertEquals(listOf("topic.lora.tflite", "topic.lora.tflite.checked"), bundle.sidecar("topic").parentFile!!.list()!!.sorted())
    }

    @Test
    fun `an adapter for another base`() {
        assets.edit("adapters/mood/adapter.json") {
            put("base", getJSONObject("base").put("name", "other-base").put("model_sha256", "ab".repeat(32)))
        }
        refused<BundleFailure.ForeignAdapter>("mood", "ab".repeat(32))
        assertEquals("other-base", (installed().failure("mood") as BundleFailure.ForeignAdapter).madeFor)
    }

    @Test
    fun `an adapter of another rank`() {
        assets.edit("adapters/mood/adapter.json") { put("rank", 32) }
        refused<BundleFailure.UnfitAdapter>("its rank is 32, the model takes 16")
    }

    @Test
    fun `an adapter where the model takes none`() {
        assets.edit("adapters/mood/adapter.json") { getJSONArray("targets").put("up_proj") }
        refused<BundleFailure.UnfitAdapter>("up_proj")
    }

    @Test
    fun `a sidecar that was cut short, edited, grew or is missing`() {
        val path = "adapters/mood/mood.lora.tflite"
        val sidecar = assets.files.getValue(path)
        val edited = sidecar.copyOf().also { it[100] = 0 }
        for (bad in listOf(sidecar.copyOf(sidecar.size - 1), edited, sidecar + 0, ByteArray(0))) {
            assets.files[path] = bad
            refused<BundleFailure.Corrupt>("mood.lora.tflite")
        }
        assets.files.remove(path)
        refused<BundleFailure.Missing>(path)
    }

    @Test
    fun `a manifest that is missing or cannot be read`() {
        val path = "adapters/mood/adapter.json"
        assets.edit(path) { getJSONObject("sidecar").put("size", "many") }
        refused<BundleFailure.Unreadable>(path, "sidecar.size")
        assets.files.remove(path)
        refused<BundleFailure.Missing>(path)
    }

    @Test
    fun `a disk without room for it`() {
        assets.putAdapter("mood", ByteArray(Demo.model.length().toInt() + 1))
        refused<BundleFailure.NoSpace>(disk = TestDisk(free = Demo.model.length()))
    }

    @Test
    fun `a model that takes no adapters leaves its own task`() {
        assets.edit("edgekit.json") { remove("adapters") }
        val bundle = installed()
        assertTrue(bundle.failure("mood") is BundleFailure.NoAdapterInputs)
        assertEquals(listOf("base"), bundle.usable.map { it.id })
    }

    @Test
    fun `without the sidecar of no adapter the model is not usable`() {
        assets.files["empty.lora.tflite"] = ByteArray(16384) { 1 }
        assertTrue((installer().install().all().last() as InstallState.Failed).failure is BundleFailure.Corrupt)
        assets.files.remove("empty.lora.tflite")
        assertTrue((installer().install().all().last() as InstallState.Failed).failure is BundleFailure.Missing)
    }

    @Test
    fun `the only task takes the bundle down with it`() {
        assets.files["tasks.json"] = tasksJson("""{"id": "mood", "adapter": "mood", "title": "Mood"}""").encodeToByteArray()
        assets.edit("adapters/mood/adapter.json") { put("rank", 32) }
        assertTrue((installer().install().all().last() as InstallState.Failed).failure is BundleFailure.UnfitAdapter)
    }

    // --- picked

    private fun zipped(): ByteArray {
        val bytes = ByteArrayOutputStream()
        ZipOutputStream(bytes).use { zip ->
            for ((name, content) in assets.files) {
                zip.putNextEntry(ZipEntry("edgekit/$name"))
                zip.write(content)
            }
        }
        return bytes.toByteArray()
    }

    private fun picked() = installer().open(MemoryDocument(zipped(), facts = null))

    @Test
    fun `a zip file brings its adapters along, and each one's terms`() {
        assets.files["adapters/mood/NOTICE"] = "Terms of the mood".encodeToByteArray()
        val bundle = picked().bundle()
        assertEquals(listOf("base", "mood", "topic"), bundle.usable.map { it.id })
        assertArrayEquals(assets.files["adapters/topic/topic.lora.tflite"], bundle.sidecar("topic").readBytes())
        assertEquals("Terms of the mood", bundle.adapterOf(bundle.task("mood")!!)!!.notice)
        assertEquals(assets.files.getValue("NOTICE").decodeToString(), bundle.notice)
        assertEquals(bundle, picked().bundle())
    }

    @Test
    fun `a zip file with a damaged sidecar has its other tasks`() {
        assets.files.getValue("adapters/mood/mood.lora.tflite")[5] = 0
        val bundle = picked().bundle()
        assertTrue(bundle.failure("mood") is BundleFailure.Corrupt)
        assertEquals(listOf("base", "topic"), bundle.usable.map { it.id })
    }

    @Test
    fun `a zip file cannot write outside`() {
        assets.files["adapters/../adapter.json"] = "{}".encodeToByteArray()
        assets.files["adapters/..\\..\\x/adapter.json"] = "{}".encodeToByteArray()
        picked().bundle()
        assertTrue(temporary.root.walk().filter { it.name == "adapter.json" }.all { it.parentFile!!.name in listOf("mood", "topic") })
    }
}
