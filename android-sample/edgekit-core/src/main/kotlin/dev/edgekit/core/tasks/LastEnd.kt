package dev.edgekit.core.tasks

import android.app.ActivityManager
import android.app.ApplicationExitInfo
import android.content.Context
import android.os.Build
import android.system.OsConstants
import androidx.annotation.RequiresApi

/**
 * Whether the app's process that was there at [since], milliseconds since 1970, was closed by its user or for an update, and
 * did not fail. Null when the system does not say: before Android 11 it never does.
 */
internal fun wasClosed(context: Context, since: Long): Boolean? =
    if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.R) closedByExitReason(context, since) else null

@RequiresApi(Build.VERSION_CODES.R)
private fun closedByExitReason(context: Context, since: Long): Boolean? {
    val exits = context.getSystemService(ActivityManager::class.java)?.getHistoricalProcessExitReasons(null, 0, 1)
    val last = exits?.firstOrNull()?.takeIf { it.timestamp >= since } ?: return null
    return when (last.reason) {
        ApplicationExitInfo.REASON_CRASH,
        ApplicationExitInfo.REASON_CRASH_NATIVE,
        ApplicationExitInfo.REASON_ANR,
        ApplicationExitInfo.REASON_LOW_MEMORY,
        ApplicationExitInfo.REASON_EXCESSIVE_RESOURCE_USAGE,
        ApplicationExitInfo.REASON_INITIALIZATION_FAILURE,
        -> false
        // Killed by whomever: for want of memory as well, on phones that do not tell.
        ApplicationExitInfo.REASON_SIGNALED -> if (last.status == OsConstants.SIGKILL) null else false
        ApplicationExitInfo.REASON_UNKNOWN -> null
        else -> true
    }
}
