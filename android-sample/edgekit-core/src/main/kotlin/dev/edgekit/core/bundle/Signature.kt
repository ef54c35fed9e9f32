package dev.edgekit.core.bundle

import dev.edgekit.core.BundleFailure
import dev.edgekit.core.InternalEdgekitApi
import java.io.FileNotFoundException
import java.security.MessageDigest
import java.util.Base64
import org.bouncycastle.math.ec.rfc8032.Ed25519

/** The file beside a manifest that lists a bundle's files with their SHA-256, signed (docs/design/trust.md). */
internal const val SIGNATURE = "edgekit.sig"

/** Of the app, not of its bundle: the public key that every bundle must be signed with. Without it any bundle will do. */
internal const val SIGNER = "edgekit-signer.pem"

private const val FORMAT = "edgekit-signature 1"
private const val MOST_BYTES = 64 * 1024

/** What every signed list begins with, so that nothing else that a key has signed passes for one. */
private const val SIGNED_FIRST = "# edgekit bundle 1\n"

private val LISTED = Regex("([0-9a-f]{64})  (\\S+)")

/** A public key in SPKI is these bytes and the 32 of the key (RFC 8410). */
private val SPKI = byteArrayOf(0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00)

/** Whose bundles an app takes, and no others. */
@InternalEdgekitApi
public class Signer private constructor(private val key: ByteArray, private val id: String) {
    /**
     * The files of a directory as they were signed. Throws [BundleFailure.Unsigned].
     *
     * @param where the directory, for messages
     * @param signature content of its [SIGNATURE]; null when there is none
     */
    internal fun signed(where: String, signature: ByteArray?): SignedFiles {
        fun refuse(why: String): Nothing = throw BundleFailure.Unsigned("$where: $why")
        if (signature == null) refuse("no $SIGNATURE")
        if (signature.size > MOST_BYTES) refuse("$SIGNATURE is far too large")
        val text = verified("$where: $SIGNATURE", signature).decodeToString()
        val lines = text.removePrefix(SIGNED_FIRST).trimEnd('\n').lines().map { LISTED.matchEntire(it)?.destructured }
        val digests = lines.filterNotNull().associate { (digest, name) -> name to digest }
        if (!text.startsWith(SIGNED_FIRST) || digests.size != lines.size) refuse("$SIGNATURE lists no files of a bundle")
        return SignedFiles(where, digests)
    }

    /**
     * The bytes that stand below their signature. What they are their own first line must say: the same key signs other
     * things, too. Throws [BundleFailure.Unsigned].
     *
     * @param what is signed, for messages
     */
    public fun verified(what: String, content: ByteArray): ByteArray {
        fun refuse(why: String): Nothing = throw BundleFailure.Unsigned("$what $why")
        val (head, signed) = split(content) ?: refuse("is no signature that this app knows")
        val bytes = head[2].removePrefix("signature ").decoded()
        val isKnown = head[0] == FORMAT && head[1].startsWith("key ") && head[2].startsWith("signature ")
        if (!isKnown || bytes?.size != Ed25519.SIGNATURE_SIZE) refuse("is no signature that this app knows")
        if (head[1] != "key $id") refuse("is signed with another key, ${head[1].removePrefix("key ").take(SHORT)}…, and not ${id.take(SHORT)}…")
        if (!Ed25519.verify(bytes, 0, key, 0, signed, 0, signed.size)) refuse("was changed since it was signed")
        return signed
    }

    @InternalEdgekitApi
    public companion object {
        private const val SHORT = 12

        /** The app's own, null when it takes bundles of anybody's. A key that cannot be read is a fault of the app's maker. */
        public fun of(assets: AssetSource): Signer? {
            val text = try {
                assets.open(SIGNER).use { it.readBytes().decodeToString() }
            } catch (_: FileNotFoundException) {
                return null
            }
            return read(text)
        }

        /** Reads a public key in PEM. Throws [IllegalArgumentException]. */
        public fun read(pem: String): Signer {
            val spki = pem.lines().filterNot { it.startsWith("-----") }.joinToString("").decoded()
            require(spki != null && spki.size == SPKI.size + Ed25519.PUBLIC_KEY_SIZE && spki.copyOf(SPKI.size).contentEquals(SPKI)) {
                "$SIGNER is no public key of Ed25519"
            }
            return Signer(spki.copyOfRange(SPKI.size, spki.size), sha256Of(spki))
        }

        /** Three lines, and the bytes below them: these are what was signed. */
        private fun split(signature: ByteArray): Pair<List<String>, ByteArray>? {
            val ends = signature.indices.filter { signature[it] == '\n'.code.toByte() }.take(3)
            if (ends.size < 3) return null
            return signature.copyOf(ends.last()).decodeToString().lines() to signature.copyOfRange(ends.last() + 1, signature.size)
        }
    }
}

/** @property digests SHA-256 by the name of a file; null where no signature is asked for */
internal class SignedFiles(private val where: String, private val digests: Map<String, String>?) {
    /** Returns the content of a file. Throws [BundleFailure.Unsigned] when it is not what was signed. */
    fun checked(name: String, content: ByteArray): ByteArray {
        if (digests != null && digests[name] != sha256Of(content)) {
            val why = if (name in digests) "was changed since it was signed" else "was not signed"
            throw BundleFailure.Unsigned("$where: $name $why")
        }
        return content
    }
}

/** What a directory's signature says; an app that asks for none takes every file. */
internal fun Signer?.signed(where: String, signature: () -> ByteArray?): SignedFiles =
    this?.signed(where, signature()) ?: SignedFiles(where, null)

private fun String.decoded(): ByteArray? = try {
    Base64.getDecoder().decode(this)
} catch (_: IllegalArgumentException) {
    null
}

private fun sha256Of(bytes: ByteArray): String =
    MessageDigest.getInstance("SHA-256").digest(bytes).joinToString("") { "%02x".format(it) }
