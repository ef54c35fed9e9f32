package dev.edgekit.testing

import java.io.File
import java.io.FileNotFoundException

/**
 * The demo bundle: a real model of 3 MB that says where in Android's settings a wish is fulfilled.
 *
 * It is in the published library; in edgekit's own repository the build says where it lies, by the system property
 * `edgekit.bundle`.
 */
public object DemoBundle {
    /** What it can be asked. */
    public const val PROMPT: String = "my screen is too dark"

    /** Copies it into a directory. */
    public fun copyTo(directory: File) {
        directory.mkdirs()
        val own = System.getProperty("edgekit.bundle")
        if (own != null) File(own).copyRecursively(directory, overwrite = true) else unpackTo(directory)
    }

    private fun unpackTo(directory: File) {
        val names = resource("files.txt").use { it.readBytes().decodeToString().lines().filter(String::isNotEmpty) }
        names.forEach { name ->
            val file = File(directory, name).apply { parentFile!!.mkdirs() }
            resource(name).use { from -> file.outputStream().use(from::copyTo) }
        }
    }

    private fun resource(name: String) = DemoBundle::class.java.getResourceAsStream("/$FOLDER/$name")
        ?: throw FileNotFoundException("the demo bundle is not in this library: $name")

    private const val FOLDER = "edgekit-demo-bundle"
}
