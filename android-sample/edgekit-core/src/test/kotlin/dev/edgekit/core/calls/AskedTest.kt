package dev.edgekit.core.calls

import android.app.Application
import androidx.test.ext.junit.runners.AndroidJUnit4
import dev.edgekit.core.Message
import dev.edgekit.core.Role
import dev.edgekit.core.bundle.Dialect
import dev.edgekit.testing.sampleCalling
import org.json.JSONArray
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.annotation.Config

/** What a model is told of its calls, to the letter as it was trained. */
@RunWith(AndroidJUnit4::class)
@Config(application = Application::class)
class AskedTest {
    private val calling = sampleCalling()
    private val wifi = Call("open_wifi_settings", emptyMap())
    private val map = Call("show_map", mapOf("query" to "Oslo"))
    private val said = Said(listOf(wifi, Call("fly", emptyMap()), map), "")

    @Test
    fun `nothing while a call is not decided on`() {
        assertNull(resultsOf(ask(said, calling, mapOf(0 to Settled(wifi, Outcome.DONE)))))
    }

    private fun told(said: Said, dialect: Dialect, settled: Map<Int, Settled>) = resultMessage(resultsOf(ask(said, calling, settled))!!, dialect)

    @Test
    fun `results in each dialect`() {
        val settled = mapOf(0 to Settled(wifi, Outcome.DONE), 2 to Settled(map, Outcome.NO_APP))
        val lines = listOf(
            """{"name": "open_wifi_settings", "result": {"status": "done"}}""",
            """{"name": "fly", "result": {"reason": "there is no such tool", "status": "error"}}""",
            """{"name": "show_map", "result": {"reason": "no app on this phone can do it", "status": "error"}}""",
        )
        assertEquals(Message(Role.USER, lines.joinToString("\n")), told(said, Dialect.JSON, settled))
        val gemma = told(Said(listOf(wifi, map), ""), Dialect.FUNCTION_GEMMA, mapOf(0 to settled.getValue(0), 1 to settled.getValue(2)))
        val expected = "<start_function_response>response:open_wifi_settings{status:<escape>done<escape>}<end_function_response>" +
            "<start_function_response>response:show_map{reason:<escape>no app on this phone can do it<escape>,status:<escape>error<escape>}<end_function_response>"
        assertEquals(Message(Role.TOOL, expected), gemma)
    }

    @Test
    fun `what was decided on outlives the process`() {
        val settled = mapOf(0 to Settled(wifi, Outcome.DONE), 2 to Settled(map, Outcome.SKIPPED))
        assertEquals(settled, settledFrom(JSONArray(settled.toJson().toString())))
    }
}
