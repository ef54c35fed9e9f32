package dev.edgekit.delivery

import dev.edgekit.core.bundle.Signer
import java.io.File
import java.util.Base64
import kotlin.random.Random
import org.bouncycastle.math.ec.rfc8032.Ed25519

/** A key of these tests: `tests/fixtures/deliveries.py` has the same. */
class Keys(seed: Int) {
    private val private = ByteArray(Ed25519.SECRET_KEY_SIZE) { seed.toByte() }
    private val public = ByteArray(Ed25519.PUBLIC_KEY_SIZE).also { Ed25519.generatePublicKey(private, 0, it, 0) }
    private val spki = SPKI + public
    private val id = sha256Of(spki)
    val pem = "-----BEGIN PUBLIC KEY-----\n${Base64.getEncoder().encodeToString(spki)}\n-----END PUBLIC KEY-----\n"
    val signer: Signer get() = Signer.read(pem)

    fun sign(text: String): ByteArray {
        val bytes = text.encodeToByteArray()
        val signature = ByteArray(Ed25519.SIGNATURE_SIZE)
        Ed25519.sign(private, 0, bytes, 0, bytes.size, signature, 0)
        return "edgekit-signature 1\nkey $id\nsignature ${Base64.getEncoder().encodeToString(signature)}\n".encodeToByteArray() + bytes
    }

    private companion object {
        val SPKI = byteArrayOf(0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00)
    }
}

/** The files of a bundle, by their paths in its folder. */
typealias Files = Map<String, ByteArray>

/** What an index says of files. */
internal fun indexOf(files: Files, version: Long, channel: String = "demo"): Index {
    val listed = files.map { (path, content) -> DeliveredFile(path, content.size.toLong(), sha256Of(content)) }
    val model = listed.single { it.path.endsWith(".litertlm") }.sha256
    val adapters = files.keys.filter { it.startsWith("adapters/") }.map { it.split('/')[1] }.distinct()
    return Index(channel, version, model, adapters, listed)
}

/** The same as edgekit writes it. */
internal fun Index.text(): String {
    fun listed(folder: String) = files.filter { it.path.startsWith(folder) && '/' !in it.path.removePrefix(folder) }
        .joinToString { """{"name": "${it.path.removePrefix(folder)}", "size": ${it.size}, "sha256": "${it.sha256}"}""" }
    val all = adapters.joinToString { """{"folder": "$it", "files": [${listed("adapters/$it/")}]}""" }
    return "# edgekit delivery 1\n" +
        """{"channel": "$channel", "version": $version, "bundle": {"model": "$model", "files": [${listed("")}]}, "adapters": [$all]}""" + "\n"
}

/** A bundle of a few kilobytes that no engine opens. [change] tells its model from others', [adapter] its adapter. */
internal fun smallBundle(change: Int = 0, adapter: Int? = null, size: Int = 300_000): Files {
    val base = mapOf(
        "edgekit.json" to "manifest $change".encodeToByteArray(),
        "tasks.json" to "tasks $change $adapter".encodeToByteArray(),
        "NOTICE" to ByteArray(0),
        "model.litertlm" to Random(change).nextBytes(size),
    )
    return if (adapter == null) base else base + mapOf(
        "adapters/mood/adapter.json" to "adapter $adapter".encodeToByteArray(),
        "adapters/mood/mood.lora.tflite" to Random(1000 + adapter).nextBytes(20_000),
    )
}

/** The same with the signatures of a bundle and its adapters, by this key. */
internal fun Files.signed(key: Keys): Files {
    val unsigned = filterKeys { !it.endsWith("edgekit.sig") }
    val folders = unsigned.entries.groupBy { it.key.substringBeforeLast('/', "") }
    return unsigned + folders.map { (folder, files) ->
        val lines = files.map { (path, content) -> "${sha256Of(content)}  ${path.substringAfterLast('/')}\n" }.sorted()
        listOf(folder, "edgekit.sig").filter(String::isNotEmpty).joinToString("/") to key.sign("# edgekit bundle 1\n" + lines.joinToString(""))
    }
}

/** The files of a folder, as the build makes them of the demo. */
internal fun filesIn(folder: File): Files =
    folder.walkTopDown().filter { it.isFile }.associate { it.relativeTo(folder).path to it.readBytes() }
