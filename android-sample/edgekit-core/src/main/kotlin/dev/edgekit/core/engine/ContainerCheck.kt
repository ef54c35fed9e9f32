package dev.edgekit.core.engine

import java.io.File
import java.io.IOException
import java.io.InputStream
import java.io.RandomAccessFile
import java.nio.ByteBuffer
import java.nio.ByteOrder

/*
 * A .litertlm file, little-endian: 8 bytes "LITERTLM"; three 32-bit numbers of its version; at byte 24, in 64 bits,
 * where the header ends; at byte 32 the header, a flatbuffer; then the sections that the header lists.
 */
private const val MAGIC = "LITERTLM"
private const val MAJOR_VERSION = 1
private const val HEADER_END_AT = 24
private const val HEADER_BEGIN = 32
private const val LARGEST_HEADER = 4L * 1024 * 1024

// Places of fields in the header's tables.
private const val ROOT_SECTIONS = 1
private const val LIST_ENTRIES = 0
private const val ENTRY_BEGIN = 1
private const val ENTRY_END = 2

/**
 * What is wrong with the outside of a model file, null for nothing: its head is damaged, or it was cut short. The
 * engine ends the process over such files instead of saying so. What is in the sections is not looked at.
 */
internal fun damageOf(model: File): String? = try {
    RandomAccessFile(model, "r").use { file -> damageOf(file, file.length()) }
} catch (error: IOException) {
    "cannot be read: ${error.message}"
}

/** Whether a model has inputs for adapters, by the name that the engine knows them by. Reads the whole file. */
internal fun takesAdapters(model: File): Boolean = model.inputStream().use { it.holds(ADAPTER_INPUT.encodeToByteArray()) }

private const val ADAPTER_INPUT = "lora_atten_q_a_prime_weight_0"

/** Whether a stream has a word in it, found as Horspool does: most bytes are leapt over. */
internal fun InputStream.holds(word: ByteArray): Boolean {
    val last = word.size - 1
    val leaps = IntArray(1 shl Byte.SIZE_BITS) { word.size }
    for (index in 0 until last) leaps[word[index].toInt() and 0xff] = last - index
    val block = ByteArray(SEARCHED_AT_A_TIME)
    var filled = 0
    while (true) {
        val count = read(block, filled, block.size - filled)
        if (count < 0) return false
        filled += count
        var start = 0
        while (start + last < filled) {
            var at = last
            while (at >= 0 && block[start + at] == word[at]) at--
            if (at < 0) return true
            start += leaps[block[start + last].toInt() and 0xff]
        }
        // The word may lie across two blocks.
        val kept = filled - start
        block.copyInto(block, 0, filled - kept, filled)
        filled = kept
    }
}

private const val SEARCHED_AT_A_TIME = 1 shl 20

private fun damageOf(file: RandomAccessFile, size: Long): String? {
    if (size <= HEADER_BEGIN) return "cut short: $size bytes"
    val start = file.read(0, HEADER_BEGIN)
    val magic = ByteArray(MAGIC.length).also(start::get)
    val version = start.getInt(MAGIC.length)
    val headerEnd = start.getLong(HEADER_END_AT)
    return when {
        !magic.contentEquals(MAGIC.encodeToByteArray()) -> "not a .litertlm file: it does not begin with $MAGIC"
        version != MAJOR_VERSION -> "a .litertlm file of version $version, not $MAJOR_VERSION"
        headerEnd <= HEADER_BEGIN || headerEnd > LARGEST_HEADER -> "its header is damaged"
        headerEnd > size -> "cut short within the header"
        else -> damageOf(file.read(HEADER_BEGIN.toLong(), (headerEnd - HEADER_BEGIN).toInt()), headerEnd, size)
    }
}

private fun damageOf(header: ByteBuffer, headerEnd: Long, size: Long): String? {
    val sections = try {
        sectionsIn(header)
    } catch (outside: IndexOutOfBoundsException) {
        return "its header is damaged"
    }
    if (sections.isEmpty()) return "its header lists no sections"
    if (sections.any { (begin, end) -> begin < headerEnd || end < begin }) return "its header is damaged"
    val end = sections.maxOf { it.second }
    return if (end > size) "cut short: $size bytes of $end" else null
}

/** Begin and end of each section in the file. */
private fun sectionsIn(header: ByteBuffer): List<Pair<Long, Long>> {
    val list = header.child(header.child(0), ROOT_SECTIONS) ?: return emptyList()
    val entries = header.child(list, LIST_ENTRIES) ?: return emptyList()
    val count = header.getInt(entries)
    if (count < 0 || count > header.limit() / Int.SIZE_BYTES) throw IndexOutOfBoundsException("$count sections")
    return List(count) { index ->
        val entry = header.child(entries + Int.SIZE_BYTES * (index + 1))
        val begin = header.field(entry, ENTRY_BEGIN)?.let(header::getLong) ?: 0
        val end = header.field(entry, ENTRY_END)?.let(header::getLong) ?: 0
        begin to end
    }
}

/** Where the thing lies that a place refers to. */
private fun ByteBuffer.child(place: Int): Int = place + getInt(place)

/** Where the thing lies that a field of a table refers to. */
private fun ByteBuffer.child(table: Int, field: Int): Int? = field(table, field)?.let { child(it) }

/** Where a field of a table lies, null when the table does not have it. */
private fun ByteBuffer.field(table: Int, field: Int): Int? {
    val offsets = table - getInt(table)
    val at = 2 * Short.SIZE_BYTES + Short.SIZE_BYTES * field
    if (at >= getShort(offsets).toInt()) return null
    val offset = getShort(offsets + at).toInt()
    return if (offset == 0) null else table + offset
}

private fun RandomAccessFile.read(from: Long, count: Int): ByteBuffer {
    val bytes = ByteArray(count)
    seek(from)
    readFully(bytes)
    return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN)
}
