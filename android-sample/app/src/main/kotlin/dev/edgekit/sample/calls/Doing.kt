package dev.edgekit.sample.calls

import android.content.ActivityNotFoundException
import android.content.Context
import android.hardware.camera2.CameraAccessException
import android.hardware.camera2.CameraCharacteristics
import android.hardware.camera2.CameraManager
import android.media.AudioManager
import dev.edgekit.core.calls.Outcome
import kotlin.math.roundToInt

/** Does it, now. Only called for a tap. */
fun carryOut(deed: Deed, context: Context): Outcome = try {
    when (deed) {
        is Deed.Torch -> switchTorch(context, deed.on)
        is Deed.Volume -> setVolume(context, deed.percent)
        is Deed.HandedOver -> handOver(context, deed)
    }
} catch (_: SecurityException) {
    Outcome.FORBIDDEN
}

private fun handOver(context: Context, deed: Deed.HandedOver): Outcome {
    val intent = intentOf(deed)
    if (intent.resolveActivity(context.packageManager) == null) return Outcome.NO_APP
    return try {
        context.startActivity(intent)
        Outcome.HANDED_OVER
    } catch (_: ActivityNotFoundException) {
        Outcome.NO_APP
    }
}

private fun switchTorch(context: Context, on: Boolean): Outcome {
    val cameras = context.getSystemService(CameraManager::class.java) ?: return Outcome.UNAVAILABLE
    return try {
        val lit = cameras.cameraIdList.firstOrNull {
            cameras.getCameraCharacteristics(it).get(CameraCharacteristics.FLASH_INFO_AVAILABLE) == true
        } ?: return Outcome.UNAVAILABLE
        cameras.setTorchMode(lit, on)
        Outcome.DONE
    } catch (_: CameraAccessException) {
        Outcome.UNAVAILABLE
    } catch (_: IllegalArgumentException) {
        Outcome.UNAVAILABLE // the camera went away meanwhile
    }
}

private fun setVolume(context: Context, percent: Int): Outcome {
    val audio = context.getSystemService(AudioManager::class.java) ?: return Outcome.UNAVAILABLE
    if (audio.isVolumeFixed) return Outcome.UNAVAILABLE
    val most = audio.getStreamMaxVolume(AudioManager.STREAM_MUSIC)
    audio.setStreamVolume(AudioManager.STREAM_MUSIC, (most * percent / 100.0).roundToInt(), AudioManager.FLAG_SHOW_UI)
    return Outcome.DONE
}
