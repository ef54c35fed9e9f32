package dev.edgekit.sample

/** Names a path that differs between devices: lint's own checks must find it. */
object HardCoded {
    const val FOLDER = "/sdcard/bundles"
}
