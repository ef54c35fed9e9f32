package dev.edgekit.core.bundle

import android.content.ContentResolver
import android.content.res.AssetManager
import android.net.Uri
import android.provider.DocumentsContract
import android.provider.OpenableColumns
import dev.edgekit.core.InternalEdgekitApi
import java.io.File
import java.io.FileNotFoundException
import java.io.FileOutputStream
import java.io.IOException
import java.io.InputStream

/** Where the bundle lies that the app was built with. */
@InternalEdgekitApi
public fun interface AssetSource {
    /** Throws [IOException], a [FileNotFoundException] when there is no such file. */
    public fun open(name: String): InputStream
}

/** The app's own assets. */
internal class AppAssets(private val assets: AssetManager, private val path: String = "edgekit") : AssetSource {
    override fun open(name: String): InputStream = assets.open("$path/$name", AssetManager.ACCESS_STREAMING)
}

/**
 * A document that the user picked.
 *
 * @property id tells it apart from other documents
 */
internal interface Document {
    val id: String

    /** Null when its provider does not say any more, after the permission to read it has ended. */
    fun facts(): DocumentFacts?

    /** Throws [IOException] or [SecurityException]. */
    fun open(): InputStream
}

/** @property size in bytes, [modified] in milliseconds since 1970: null when the provider does not say */
internal data class DocumentFacts(val name: String, val size: Long?, val modified: Long?)

/** A document of another app, such as the system's file picker gives. */
internal class PickedDocument(private val resolver: ContentResolver, private val uri: Uri) : Document {
    override val id: String get() = uri.toString()

    override fun facts(): DocumentFacts? = try {
        resolver.query(uri, null, null, null, null)?.use { row ->
            fun column(name: String) = row.getColumnIndex(name).takeIf { it >= 0 && !row.isNull(it) }
            if (!row.moveToFirst()) return null
            DocumentFacts(
                name = column(OpenableColumns.DISPLAY_NAME)?.let(row::getString) ?: uri.lastPathSegment.orEmpty(),
                size = column(OpenableColumns.SIZE)?.let(row::getLong),
                modified = column(DocumentsContract.Document.COLUMN_LAST_MODIFIED)?.let(row::getLong),
            )
        }
    } catch (ended: SecurityException) {
        null
    } catch (silent: IllegalArgumentException) {
        null // a provider that is gone, or does not answer such questions
    }

    override fun open(): InputStream = resolver.openInputStream(uri) ?: throw FileNotFoundException("$uri")
}

/** The storage that bundles are copied to. */
@InternalEdgekitApi
public interface Disk {
    /** Bytes that can be written below a directory. */
    public fun free(directory: File): Long

    public fun create(file: File): FileOutputStream
}

/** The device's own. */
@InternalEdgekitApi
public object DeviceDisk : Disk {
    override fun free(directory: File): Long = directory.usableSpace

    override fun create(file: File): FileOutputStream = FileOutputStream(file)
}
