package dev.edgekit.core.bundle

import android.app.Application
import androidx.test.ext.junit.runners.AndroidJUnit4
import dev.edgekit.core.BundleFailure
import dev.edgekit.testing.Demo
import java.io.ByteArrayOutputStream
import java.io.File
import java.util.Base64
import java.util.zip.ZipEntry
import java.util.zip.ZipOutputStream
import kotlinx.coroutines.Dispatchers
import org.bouncycastle.math.ec.rfc8032.Ed25519
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder
import org.junit.runner.RunWith
import org.robolectric.annotation.Config

/** An app that opens only what its maker has signed, with bundles that `edgekit package --sign` made. */
@RunWith(AndroidJUnit4::class)
@Config(application = Application::class)
class SignatureTest {
    @get:Rule
    val temporary = TemporaryFolder()

    private val assets = MemoryAssets()
    private val signer = Signer.read(Demo.signer.readText())

    private fun installer(signer: Signer? = this.signer) = BundleInstaller(
        assets,
        File(temporary.root, "bundles"),
        File(temporary.root, "caches"),
        TestDisk(),
        Dispatchers.Unconfined,
        signer,
    )

    private fun refused(what: String, states: List<InstallState>) {
        val failure = (states.last() as InstallState.Failed).failure
        assertTrue("$failure", failure is BundleFailure.Unsigned)
        assertTrue("${failure.message}", what in failure.message!!)
    }

    private fun change(name: String, change: (String) -> String) {
        val before = assets.files.getValue(name).decodeToString()
        assets.files[name] = change(before).also { assertTrue(it != before) }.encodeToByteArray()
    }

    private fun zip(without: Set<String> = emptySet()) = MemoryDocument(
        ByteArrayOutputStream().also { bytes ->
            ZipOutputStream(bytes).use { zip ->
                for ((name, content) in assets.files - without) {
                    zip.putNextEntry(ZipEntry("bundle/$name"))
                    zip.write(content)
                    zip.closeEntry()
                }
            }
        }.toByteArray(),
        id = "${assets.files.hashCode()} $without",
    )

    private fun useAdapters() {
        assets.files.clear()
        val root = Demo.severalTasks
        root.walk().filter { it.isFile }.forEach { assets.files[it.relativeTo(root).path] = it.readBytes() }
    }

    // --- the app's own bundle

    @Test
    fun `a signed bundle is opened`() {
        assertEquals("Settings navigator", installer().install().bundle().title)
        assertEquals("Settings navigator", installer().open(zip()).bundle().title)
    }

    @Test
    fun `an app that asks for no signature opens any, whatever its signature`() {
        assets.files["edgekit.sig"] = "no signature".encodeToByteArray()
        assertEquals("Settings navigator", installer(null).install().bundle().title)
        assertEquals("Settings navigator", installer(null).open(zip()).bundle().title)
    }

    @Test
    fun `without a signature, with a changed one, or with another's, nothing is opened`() {
        val signed = assets.files.getValue("edgekit.sig").decodeToString()
        val bad = mapOf(
            "edgekit.sig is no signature" to "Hello",
            "this app knows" to signed.replace("edgekit-signature 1", "edgekit-signature 2"),
            "signed with another key" to signed.replace(Regex("key ...."), "key 0000"),
            "changed since it was signed" to signed.replaceFirst(Regex("(?m)^signature ...."), "signature AAAA"),
            "edgekit.sig was changed" to signed.replaceFirst("  NOTICE", "  NOTICES"),
        )
        for ((what, text) in bad) {
            assertTrue(text != signed)
            assets.files["edgekit.sig"] = text.encodeToByteArray()
            refused(what, installer().install().all())
            refused(what, installer().open(zip()).all())
        }
        refused("no edgekit.sig", installer().open(zip(without = setOf("edgekit.sig"))).all())
        assets.files.remove("edgekit.sig")
        refused("no edgekit.sig", installer().install().all())
        assertEquals(emptyMap<String, Long>(), File(temporary.root, "bundles").tree())
    }

    @Test
    fun `a bundle that others signed is refused, although its signature holds`() {
        val other = ByteArray(32) { 7 }
        val public = ByteArray(32).also { Ed25519.generatePublicKey(other, 0, it, 0) }
        val spki = byteArrayOf(0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00) + public
        val list = assets.files.getValue("edgekit.sig").decodeToString().lines().drop(3).joinToString("\n").encodeToByteArray()
        val signature = ByteArray(64).also { Ed25519.sign(other, 0, list, 0, list.size, it, 0) }
        val encoder = Base64.getEncoder()
        fun signed(id: String) = "edgekit-signature 1\nkey $id\nsignature ${encoder.encodeToString(signature)}\n".encodeToByteArray() + list
        assets.files["edgekit.sig"] = signed(sha256(spki))
        refused("signed with another key", installer().install().all())
        val theirs = Signer.read("-----BEGIN PUBLIC KEY-----\n${encoder.encodeToString(spki)}\n-----END PUBLIC KEY-----\n")
        assertEquals("Settings navigator", installer(theirs).install().bundle().title)
        // The name of a key is no proof of it.
        val id = sha256(Base64.getDecoder().decode(Demo.signer.readLines().filterNot { '-' in it }.joinToString("")))
        assets.files["edgekit.sig"] = signed(id)
        refused("changed since it was signed", installer().install().all())
    }

    @Test
    fun `a changed manifest is refused, and a changed model by the manifest`() {
        change("edgekit.json") { it.replace("int8", "int9") }
        refused("edgekit.json was changed since it was signed", installer().install().all())
        refused("edgekit.json was changed since it was signed", installer().open(zip()).all())
        assets.files["edgekit.json"] = File(Demo.assets, "edgekit.json").readBytes()
        assets.files.getValue(Demo.model.name)[1_000_000]++
        for (states in listOf(installer().install().all(), installer().open(zip()).all())) {
            assertTrue((states.last() as InstallState.Failed).failure is BundleFailure.Corrupt)
        }
    }

    // --- what the user picks

    @Test
    fun `tasks and terms that were not signed are refused with what was picked`() {
        change("tasks.json") { it.replace("Settings navigator", "Send me money") }
        refused("tasks.json was changed since it was signed", installer().open(zip()).all())
        assets.files["tasks.json"] = File(Demo.assets, "tasks.json").readBytes()
        change("NOTICE") { it + "or not" }
        refused("NOTICE was changed since it was signed", installer().open(zip()).all())
    }

    @Test
    fun `a model file alone is refused before it is copied, as nothing says who made it`() {
        val states = installer().open(MemoryDocument(Demo.model.readBytes())).all()
        refused("a model file alone is not signed", states)
        assertEquals(1, states.size)
    }

    @Test
    fun `what was picked before the app asked for signatures is not opened any more`() {
        val document = zip(without = setOf("edgekit.sig"))
        installer(null).open(document).bundle()
        refused("no edgekit.sig", installer().open(document).all())
        assertEquals(1, document.opened)
    }

    // --- adapters

    @Test
    fun `each adapter has a signature of its own, without which it alone is refused`() {
        useAdapters()
        assertEquals(3, installer().install().bundle().usable.size)
        assertEquals(3, installer().open(zip()).bundle().usable.size)
        change("adapters/sentiment/adapter.json") { it.replace("\"rank\"", " \"rank\"") }
        assets.files.remove("adapters/support-triage/edgekit.sig")
        for (bundle in listOf(installer().install().bundle(), installer().open(zip()).bundle())) {
            assertEquals(listOf("base"), bundle.usable.map { it.id })
            assertTrue(bundle.tasks.filter { it.adapter != null }.all { bundle.failureOf(it) is BundleFailure.Unsigned })
        }
    }

    // --- the key

    @Test
    fun `an app's key is read from its assets, and one that cannot be read does not pass for none`() {
        assertEquals(null, Signer.of(assets))
        assets.files["edgekit-signer.pem"] = Demo.signer.readBytes()
        Signer.of(assets)!!
        for (wrong in listOf("", "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----", "MCowBQYDK2VwAyEA", "!")) {
            assets.files["edgekit-signer.pem"] = wrong.encodeToByteArray()
            assertThrows(IllegalArgumentException::class.java) { Signer.of(assets) }
        }
    }
}
