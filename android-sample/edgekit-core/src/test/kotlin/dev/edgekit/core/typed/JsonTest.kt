package dev.edgekit.core.typed

import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Test

class JsonTest {
    @Test
    fun `values are Kotlin's own`() {
        assertEquals(
            mapOf("a" to 1L, "b" to listOf(1.5, -2L, 1e3, true, null), "c" to mapOf("d" to "x\n\"\u00e9/")),
            wholeJson(""" { "a": 1, "b": [1.5,-2, 1e3 ,true,null], "c": {"d":"x\n\"\u00e9\/"} } """),
        )
        assertEquals("text", wholeJson("\"text\""))
        assertEquals(emptyMap<String, Any?>(), wholeJson("{}"))
    }

    @Test
    fun `what is no JSON is refused`() {
        val deep = "[".repeat(100_000)
        for (text in listOf("", "{", "{\"a\":}", "{a:1}", "[1,]", "01", "\"a", "\"\\x\"", "\"\\u12\"", "tru", "1 2", "{}{}", "'a'", deep)) {
            assertThrows(text.take(20), IllegalArgumentException::class.java) { wholeJson(text) }
        }
    }

    @Test
    fun `of an object that is being written the fields that are whole are there`() {
        val text = """{"name": "a, \"b\"}", "count": 12, "list": [1, 2], "last": true}"""
        val seen = (0..text.length).map { partialJson(text.take(it)).keys.toList() }.distinct()
        assertEquals(
            listOf(emptyList(), listOf("name"), listOf("name", "count"), listOf("name", "count", "list"), listOf("name", "count", "list", "last")),
            seen,
        )
        // A number may go on as long as nothing follows it.
        assertEquals(emptyMap<String, Any?>(), partialJson("""{"count": 1"""))
        assertEquals(mapOf<String, Any?>("count" to 1L), partialJson("""{"count": 1,"""))
    }

    @Test
    fun `of what is no object there is nothing`() {
        for (text in listOf("", "  ", "[1", "\"a\"", "hello {\"a\": 1}", "{'a': 1}")) assertEquals(emptyMap<String, Any?>(), partialJson(text))
    }
}
