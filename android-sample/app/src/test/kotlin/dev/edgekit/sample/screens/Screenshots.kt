package dev.edgekit.sample.screens

import android.graphics.Bitmap
import android.graphics.Canvas
import androidx.compose.ui.graphics.asAndroidBitmap
import androidx.compose.ui.test.captureToImage
import androidx.compose.ui.test.isRoot
import androidx.compose.ui.test.junit4.ComposeTestRule
import androidx.compose.ui.test.onFirst
import java.io.File
import org.robolectric.shadows.ShadowDialog

/** Where the build wants screenshots. */
private val directory = File(checkNotNull(System.getProperty("edgekit.screenshots")) { "edgekit.screenshots is not set" })

/** Writes what is on the screen, a sheet included, as a PNG. */
fun ComposeTestRule.screenshot(name: String) {
    waitForIdle()
    val picture = onAllNodes(isRoot()).onFirst().captureToImage().asAndroidBitmap().copy(Bitmap.Config.ARGB_8888, true)
    // A sheet has a window of its own, which a capture of its content does not find.
    val sheet = ShadowDialog.getLatestDialog()?.takeIf { it.isShowing }
    if (sheet != null) runOnUiThread { sheet.window?.decorView?.draw(Canvas(picture)) }
    directory.mkdirs()
    File(directory, "$name.png").outputStream().use { picture.compress(Bitmap.CompressFormat.PNG, 100, it) }
}
