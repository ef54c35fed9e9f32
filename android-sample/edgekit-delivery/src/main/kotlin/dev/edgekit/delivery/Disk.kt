package dev.edgekit.delivery

import java.io.File
import java.io.FileOutputStream
import java.io.IOException
import java.nio.channels.FileChannel
import java.nio.channels.FileLock
import java.nio.channels.OverlappingFileLockException
import java.nio.file.Files
import java.nio.file.StandardCopyOption
import java.nio.file.StandardOpenOption

/** Everything that a delivery does to the device's storage, one call for each thing that can be half done. */
internal open class Disk(val root: File) {
    /** Bytes that can be written. */
    open fun free(): Long {
        root.mkdirs()
        return root.usableSpace
    }

    /** Opens a file to be written from [start] on; what lies behind is cut off. */
    open fun open(file: File, start: Long): FileOutputStream {
        if (start > 0 && file.length() == start) return FileOutputStream(file, true)
        FileOutputStream(file).close()
        return FileOutputStream(file, true)
    }

    open fun write(to: FileOutputStream, block: ByteArray, count: Int): Unit = to.write(block, 0, count)

    open fun sync(file: FileOutputStream): Unit = file.fd.sync()

    open fun mkdirs(folder: File) {
        Files.createDirectories(folder.toPath())
    }

    /** Puts a file or folder in another's place, at once. */
    open fun move(from: File, to: File) {
        Files.move(from.toPath(), to.toPath(), StandardCopyOption.ATOMIC_MOVE)
    }

    /** Android lets apps make no hard links. [target] as it is seen from the link. */
    open fun link(link: File, target: String) {
        Files.createSymbolicLink(link.toPath(), File(target).toPath())
    }

    /** Deletes a file, a link but not where it leads, or a folder with all in it. */
    open fun delete(place: File) {
        if (!Files.isSymbolicLink(place.toPath())) place.listFiles().orEmpty().forEach(::delete)
        Files.deleteIfExists(place.toPath())
    }

    /** Writes a small file so that it is there whole or not at all. */
    fun writeWhole(file: File, content: ByteArray) {
        val part = File(file.path + PART)
        open(part, 0).use {
            write(it, content, content.size)
            sync(it)
        }
        move(part, file)
    }

    /** Keeps others out, of this process and of others, until [block] ends or the process does. Throws [DeliveryFailure.Busy]. */
    inline fun <T> alone(block: () -> T): T {
        val channel = storing(this) {
            mkdirs(root)
            FileChannel.open(File(root, "lock").toPath(), StandardOpenOption.CREATE, StandardOpenOption.WRITE)
        }
        return channel.use {
            val lock = tryLock(it) ?: throw DeliveryFailure.Busy()
            lock.use { block() }
        }
    }

    fun tryLock(channel: FileChannel): FileLock? = try {
        channel.tryLock()
    } catch (held: OverlappingFileLockException) {
        null
    } catch (error: IOException) {
        throw DeliveryFailure.NotWritten(error)
    }
}

/** What an unfinished file's name ends in. */
internal const val PART = ".part"
