package dev.edgekit.core.calls

import androidx.test.ext.junit.runners.AndroidJUnit4
import dev.edgekit.core.Role
import dev.edgekit.core.bundle.Dialect
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Test
import org.junit.runner.RunWith

/** As `edgekit.calling.calls.result_message` writes the same. */
@RunWith(AndroidJUnit4::class)
class CallResultTest {
    private val results = listOf(
        CallResult("look", mapOf("Found" to listOf("a/\"b\"", 2, true, null), "at" to mapOf("x" to 1.5))),
        CallResult("wait", emptyMap()),
    )

    @Test
    fun `in the turn of the tools, sorted as the template does`() {
        val message = resultMessage(results, Dialect.FUNCTION_GEMMA)
        assertEquals(Role.TOOL, message.role)
        assertEquals(
            "<start_function_response>response:look{at:{x:1.5},Found:[<escape>a/\"b\"<escape>,2,true,null]}<end_function_response>" +
                "<start_function_response>response:wait{}<end_function_response>",
            message.text,
        )
    }

    @Test
    fun `as JSON of the user`() {
        val message = resultMessage(results, Dialect.JSON)
        assertEquals(Role.USER, message.role)
        assertEquals(
            """{"name": "look", "result": {"Found": ["a/\"b\"", 2, true, null], "at": {"x": 1.5}}}""" + "\n" + """{"name": "wait", "result": {}}""",
            message.text,
        )
    }

    @Test
    fun `other values are the caller's mistake`() {
        assertThrows(IllegalArgumentException::class.java) { resultMessage(listOf(CallResult("a", mapOf("b" to Any()))), Dialect.JSON) }
    }
}
