package dev.edgekit.core.bundle

import android.app.Application
import android.content.ContentProvider
import android.content.ContentValues
import android.database.Cursor
import android.database.MatrixCursor
import android.net.Uri
import android.os.ParcelFileDescriptor
import android.provider.OpenableColumns
import androidx.test.core.app.ApplicationProvider
import androidx.test.ext.junit.runners.AndroidJUnit4
import dev.edgekit.core.BundleFailure
import dev.edgekit.testing.Demo
import java.io.ByteArrayOutputStream
import java.io.File
import java.util.zip.ZipEntry
import java.util.zip.ZipOutputStream
import kotlinx.coroutines.Dispatchers
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.annotation.Config

@RunWith(AndroidJUnit4::class)
@Config(application = Application::class)
class PickingTest {
    @get:Rule
    val temporary = TemporaryFolder()

    private val bundles by lazy { File(temporary.root, "bundles") }
    private val caches by lazy { File(temporary.root, "caches") }
    private val model = Demo.model.readBytes()

    private fun installer(disk: Disk = TestDisk()) =
        BundleInstaller(MemoryAssets(), bundles, caches, disk, Dispatchers.Unconfined)

    private fun open(document: Document, disk: Disk = TestDisk()) = installer(disk).open(document)

    @Test
    fun `a bare model file is taken under its name`() {
        val states = open(MemoryDocument(model)).all()
        val size = model.size.toLong()
        assertTrue(InstallState.Copying(size, size) in states && InstallState.Checking(size, size) in states)
        val bundle = (states.last() as InstallState.Ready).bundle
        assertArrayEquals(model, bundle.model.readBytes())
        assertEquals("My_model.litertlm", bundle.model.name)
        assertNull(bundle.manifest)
        assertEquals(genericOffer("My model"), bundle.offer)
    }

    @Test
    fun `a bare model file that takes adapters is refused, as its sidecars are not with it`() {
        val failure = failed(MemoryDocument(Demo.modelIn(Demo.severalTasks).readBytes()))
        assertTrue("$failure", failure is BundleFailure.Unreadable && "zip file" in failure.message!!)
        assertEquals(emptyMap<String, Long>(), bundles.tree())
    }

    @Test
    fun `a zip file with a bundle is unpacked, whatever its folder and order`() {
        val files = Demo.assets.listFiles().orEmpty().associate { "a/b/${it.name}" to it.readBytes() }
        for (entries in listOf(files.toList(), files.toList().reversed())) {
            val bundle = open(MemoryDocument(zip(entries), id = "${entries.first().first}")).bundle()
            assertArrayEquals(model, bundle.model.readBytes())
            assertEquals(Demo.model.name, bundle.model.name)
            assertEquals("Settings navigator", bundle.title)
            assertEquals("int8", bundle.manifest!!.recipe)
            assertTrue(bundle.notice!!.isNotBlank())
        }
    }

    @Test
    fun `a zip file without tasks has what its manifest says`() {
        val names = listOf("edgekit.json", Demo.model.name)
        val bundle = open(MemoryDocument(zip(names.map { it to File(Demo.assets, it).readBytes() }))).bundle()
        assertEquals(genericOffer("settings-navigator"), bundle.offer)
        assertNull(bundle.notice)
    }

    @Test
    fun `the same document is not copied again, even when it may not be read any more`() {
        val document = MemoryDocument(model)
        val first = open(document).bundle()
        assertEquals(listOf(InstallState.Ready(first)), open(document).all())
        document.facts = null
        assertEquals(listOf(InstallState.Ready(first)), open(document).all())
        assertEquals(1, document.opened)
    }

    @Test
    fun `a document that changed, or another, takes the place of the earlier`() {
        val document = MemoryDocument(model)
        val first = open(document).bundle()
        document.bytes = model + ByteArray(16)
        document.facts = document.facts!!.copy(modified = 2)
        val second = open(document).bundle()
        assertArrayEquals(document.bytes, second.model.readBytes())
        assertTrue(!first.model.exists())
        val third = open(MemoryDocument(model, id = "content://provider/2")).bundle()
        assertTrue(third.model.exists() && !second.model.exists())
    }

    @Test
    fun `the cache of a model that is gone goes with it`() {
        val first = open(MemoryDocument(model)).bundle()
        val cache = installer().engineCache(first).apply { mkdirs() }
        open(MemoryDocument(model + ByteArray(16), id = "other")).bundle()
        assertTrue(!cache.exists())
    }

    @Test
    fun `what is no bundle is refused and the earlier one stays`() {
        val earlier = open(MemoryDocument(model)).bundle()
        val header = model.copyOf(16384)
        val bad = listOf(
            "text" to "Hello".encodeToByteArray(),
            "empty" to ByteArray(0),
            "cut short" to model.copyOf(model.size / 2),
            "only a header" to header,
            "a damaged header" to model.copyOf().also { it.fill(0, 32, 96) },
            "a zip file without a model" to zip(listOf("a.txt" to ByteArray(3))),
            "a zip file with two models" to zip(listOf("a.litertlm" to header, "b.litertlm" to header)),
            "a zip file that is cut short" to bundleZip().let { it.copyOf(it.size / 2) },
            "a changed model" to bundleZip(model.copyOf().also { it[model.size / 2] = 77 }),
        )
        for ((what, bytes) in bad) {
            val failure = failed(MemoryDocument(bytes, id = what))
            assertTrue("$what: $failure", failure is BundleFailure.Corrupt)
            assertTrue(earlier.model.exists())
        }
        assertTrue(failed(MemoryDocument(zip(listOf(Demo.model.name to model)), id = "bare")) is BundleFailure.Unreadable)
    }

    @Test
    fun `a document whose provider goes away is refused`() {
        val document = MemoryDocument(model).apply { brokenAfter = 1_500_000 }
        assertTrue(failed(document) is BundleFailure.Corrupt)
        assertEquals(emptyMap<String, Long>(), bundles.tree())
    }

    @Test
    fun `a document that may not be opened is told as such`() {
        val forbidden = object : Document {
            override val id = "x"
            override fun facts(): DocumentFacts? = null
            override fun open() = throw SecurityException("no")
        }
        assertTrue(failed(forbidden) is BundleFailure.Other)
    }

    @Test
    fun `too little space, before or in the middle`() {
        assertTrue(failed(MemoryDocument(model), TestDisk(free = 1000)) is BundleFailure.NoSpace)
        assertTrue(failed(MemoryDocument(model), TestDisk(fullAfter = 1_500_000)) is BundleFailure.NoSpace)
        assertTrue(failed(MemoryDocument(bundleZip()), TestDisk(fullAfter = 1_500_000)) is BundleFailure.NoSpace)
        assertEquals(emptyMap<String, Long>(), bundles.tree())
    }

    @Test
    fun `what a kill left is cleared away`() {
        File(bundles, "picked.part").mkdirs()
        File(bundles, "picked.part/old.litertlm").writeBytes(ByteArray(100))
        File(bundles, "picked/${sha256(model)}").mkdirs()
        val bundle = open(MemoryDocument(model)).bundle()
        assertArrayEquals(model, bundle.model.readBytes())
        assertTrue(!File(bundles, "picked.part").exists())
    }

    @Test
    fun `names of documents are made harmless`() {
        assertEquals("evil", titleOf("../../evil.litertlm"))
        assertEquals("gpj.exe", titleOf("\u202Egpj\u0007.exe.zip"))
        assertEquals("設定", titleOf("設定.litertlm"))
        assertEquals("model", titleOf("\u200B.litertlm"))
        assertEquals(60, titleOf("x".repeat(1000)).length)
        assertEquals("___.litertlm", safeFileName("設定!.litertlm"))
        assertEquals("model.litertlm", safeFileName("..."))
        assertEquals("a_b.litertlm", safeFileName("a b.litertlm"))
    }

    @Test
    fun `a document of another app is asked for its name, size and content`() {
        val file = File(temporary.root, "1234").apply { writeBytes(model) }
        val provider = Robolectric.buildContentProvider(OneFileProvider::class.java).create("some.app").get()
        provider.file = file
        val resolver = ApplicationProvider.getApplicationContext<Application>().contentResolver
        val document = PickedDocument(resolver, Uri.parse("content://some.app/document/1"))
        assertEquals(DocumentFacts("Mine.litertlm", model.size.toLong(), null), document.facts())
        val bundle = open(document).bundle()
        assertArrayEquals(model, bundle.model.readBytes())
        assertEquals("Mine", bundle.title)
        provider.file = null
        assertNull(document.facts())
        assertEquals(listOf(InstallState.Ready(bundle)), open(document).all())
    }

    private fun failed(document: Document, disk: Disk = TestDisk()): BundleFailure =
        (open(document, disk).all().last() as InstallState.Failed).failure

    private fun bundleZip(model: ByteArray = this.model) =
        zip(listOf("edgekit.json" to File(Demo.assets, "edgekit.json").readBytes(), Demo.model.name to model))

    private fun zip(entries: List<Pair<String, ByteArray>>): ByteArray {
        val bytes = ByteArrayOutputStream()
        ZipOutputStream(bytes).use { zip ->
            for ((name, content) in entries) {
                zip.putNextEntry(ZipEntry(name))
                zip.write(content)
                zip.closeEntry()
            }
        }
        return bytes.toByteArray()
    }
}

/** An app that offers one document, as long as it may be read. */
class OneFileProvider : ContentProvider() {
    var file: File? = null

    override fun onCreate() = true

    override fun query(uri: Uri, columns: Array<String>?, where: String?, arguments: Array<String>?, order: String?): Cursor {
        val shared = file ?: throw SecurityException("no permission")
        return MatrixCursor(arrayOf(OpenableColumns.DISPLAY_NAME, OpenableColumns.SIZE)).apply {
            addRow(arrayOf<Any>("Mine.litertlm", shared.length()))
        }
    }

    override fun openFile(uri: Uri, mode: String): ParcelFileDescriptor =
        ParcelFileDescriptor.open(file, ParcelFileDescriptor.MODE_READ_ONLY)

    override fun getType(uri: Uri) = "application/octet-stream"

    override fun insert(uri: Uri, values: ContentValues?) = null

    override fun delete(uri: Uri, where: String?, arguments: Array<String>?) = 0

    override fun update(uri: Uri, values: ContentValues?, where: String?, arguments: Array<String>?) = 0
}
