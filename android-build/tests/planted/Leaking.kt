package dev.edgekit.sample

import android.content.Context

/** Log tag and a hard-coded path: lint's own checks must find the latter. */
object Leaking {
    fun file(context: Context): String = "/sdcard/" + context.packageName
}
