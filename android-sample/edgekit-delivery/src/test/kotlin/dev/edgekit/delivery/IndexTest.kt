package dev.edgekit.delivery

import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Test

/** The index, held to the examples that edgekit's own reader is held to. */
class IndexTest {
    private val key = Keys(1)

    private fun example(name: String): ByteArray = checkNotNull(javaClass.getResource("/delivery/$name")) { name }.readBytes()

    private fun read(name: String) = parseIndex(key.signer.opened(example(name)))

    @Test
    fun `what edgekit writes is read`() {
        val index = read("index.txt")
        assertEquals("settings-navigator", index.channel)
        assertEquals(7, index.version)
        assertEquals("c".repeat(64), index.model)
        assertEquals(listOf("sentiment"), index.adapters)
        assertEquals(
            listOf("edgekit.json", "tasks.json", "settings-navigator.litertlm", "NOTICE", "adapters/sentiment/adapter.json", "adapters/sentiment/s.lora.tflite"),
            index.files.map { it.path },
        )
        assertEquals(303_303_176, index.files[2].size)
        assertEquals("NOTICE", index.contents.first().path)
    }

    @Test
    fun `the keys are the same`() = assertEquals(example("signing.pub").decodeToString(), key.pem)

    @Test
    fun `what is not signed by the key is not read`() {
        for (name in UNSIGNED) {
            assertThrows(name, DeliveryFailure.Unsigned::class.java) { read("refused/$name.txt") }
        }
    }

    @Test
    fun `what no delivery says is refused`() {
        for (name in REFUSED) {
            assertThrows(name, DeliveryFailure.Unreadable::class.java) { read("refused/$name.txt") }
        }
    }

    @Test
    fun `every example is used`() {
        val folder = java.io.File(checkNotNull(javaClass.getResource("/delivery/refused")).toURI())
        assertEquals(folder.list()!!.map { it.removeSuffix(".txt") }.sorted(), (UNSIGNED + REFUSED).sorted())
    }

    private companion object {
        val UNSIGNED = listOf("by-another-key", "by-another-key-that-lies", "changed", "cut", "empty", "of-a-bundle", "of-another-form")
        val REFUSED = listOf(
            "adapter-twice", "adapter-without-manifest", "adapters-no-list", "channel-a-path", "channel-missing",
            "digest-in-capitals", "digest-short", "file-a-path", "file-above", "file-hidden", "file-named-adapters",
            "file-twice", "file-unfinished", "files-missing", "folder-above", "manifest-missing", "model-not-listed",
            "no-json", "no-object", "size-a-text", "size-negative", "size-too-large", "two-sizes", "version-a-fraction",
            "version-a-text", "version-zero",
        )
    }
}
