package dev.edgekit.sample.screens

import android.content.ClipData
import android.content.ClipboardManager
import android.content.Context
import android.content.Intent
import android.os.Build
import android.widget.Toast
import androidx.core.content.FileProvider
import dev.edgekit.core.BenchmarkReport
import dev.edgekit.sample.R
import java.io.File

enum class ExportFormat(val extension: String, val mimeType: String) {
    JSON("json", "application/json"),
    CSV("csv", "text/csv"),
}

/** Hands the result to an app that the user chooses, as a file that this app provides to it and to no other. */
fun shareResult(context: Context, result: BenchmarkReport, format: ExportFormat) {
    val file = writeResult(File(context.cacheDir, SHARED), result, format)
    val uri = FileProvider.getUriForFile(context, "${context.packageName}.files", file)
    val send = Intent(Intent.ACTION_SEND)
        .setType(format.mimeType)
        .putExtra(Intent.EXTRA_STREAM, uri)
        .putExtra(Intent.EXTRA_SUBJECT, file.name)
        .addFlags(Intent.FLAG_GRANT_READ_URI_PERMISSION)
    // The chooser passes the permission on with the clip only.
    send.clipData = ClipData.newRawUri(file.name, uri)
    context.startActivity(Intent.createChooser(send, context.getString(R.string.share_title)))
}

/** Android 13 shows what was copied; before, the app says so. */
fun copyText(context: Context, text: String) {
    context.getSystemService(ClipboardManager::class.java)?.setPrimaryClip(ClipData.newPlainText(null, text))
    if (Build.VERSION.SDK_INT < Build.VERSION_CODES.TIRAMISU) Toast.makeText(context, R.string.copied, Toast.LENGTH_SHORT).show()
}

/** Hands a text to an app that the user chooses. */
fun shareText(context: Context, text: String) {
    val send = Intent(Intent.ACTION_SEND).setType("text/plain").putExtra(Intent.EXTRA_TEXT, text)
    context.startActivity(Intent.createChooser(send, null))
}

/** Replaces what was shared before: it is for the moment. */
fun writeResult(directory: File, result: BenchmarkReport, format: ExportFormat): File {
    directory.deleteRecursively()
    directory.mkdirs()
    val name = "${result.model}-bench.${format.extension}"
    val text = when (format) {
        ExportFormat.JSON -> result.json
        ExportFormat.CSV -> result.csv
    }
    return File(directory, name).apply { writeText(text) }
}

/** As in res/xml/shared_files.xml. */
private const val SHARED = "shared"
