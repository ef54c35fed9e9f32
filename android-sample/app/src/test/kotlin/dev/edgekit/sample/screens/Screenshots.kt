package dev.edgekit.sample.screens

import android.graphics.Bitmap
import android.graphics.Canvas
import androidx.compose.ui.graphics.asAndroidBitmap
import androidx.compose.ui.test.captureToImage
import androidx.compose.ui.test.isRoot
import androidx.compose.ui.test.junit4.ComposeTestRule
import java.io.File

/** Where the build wants screenshots. */
private val directory = File(checkNotNull(System.getProperty("edgekit.screenshots")) { "edgekit.screenshots is not set" })

/** Writes what is on the screen, menus and sheets included, as a PNG. */
fun ComposeTestRule.screenshot(name: String) {
    waitForIdle()
    val roots = onAllNodes(isRoot())
    val layers = roots.fetchSemanticsNodes().indices.map { roots[it].captureToImage().asAndroidBitmap() }
    val picture = layers.first().copy(Bitmap.Config.ARGB_8888, true)
    val canvas = Canvas(picture)
    layers.drop(1).forEach { canvas.drawBitmap(it, 0f, 0f, null) }
    directory.mkdirs()
    File(directory, "$name.png").outputStream().use { picture.compress(Bitmap.CompressFormat.PNG, 100, it) }
}
