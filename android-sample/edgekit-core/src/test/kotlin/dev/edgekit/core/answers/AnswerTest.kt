package dev.edgekit.core.answers

import dev.edgekit.core.AnswerFormat
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner

@RunWith(RobolectricTestRunner::class)
class AnswerTest {
    private val json = AnswerFormat.JsonSchema("{}")
    private val display = Action(mapOf("setting" to "brightness"), "android.settings.DISPLAY_SETTINGS")

    private fun read(text: String, actions: List<Action> = emptyList(), ended: Boolean = true) = readAnswer(text, json, actions, ended)

    private fun fields(text: String) = (read(text) as Answer.Card).fields

    @Test
    fun `without a format an answer is what it says`() {
        assertEquals(Answer.Plain("""{"a": 1}"""), readAnswer("""{"a": 1}""", null, listOf(display), ended = true))
    }

    @Test
    fun `a label is a label when it is whole`() {
        val labels = AnswerFormat.Regex("(spam|ham)")
        assertEquals(Answer.Plain("sp"), readAnswer("sp", labels, emptyList(), ended = false))
        assertEquals(Answer.Label("spam"), readAnswer("spam", labels, emptyList(), ended = true))
    }

    @Test
    fun `a JSON object becomes lines in its own order, with names for people`() {
        assertEquals(
            listOf(Field("Screen", "display"), Field("Time out", "30"), Field("On", "true")),
            fields("""{"screen": "display", "time_out": 30, "on": true}"""),
        )
    }

    @Test
    fun `objects and lists inside are shown whatever they hold`() {
        assertEquals(
            listOf(
                Field("Place", null),
                Field("City", "Oslo", depth = 1),
                Field("Tags", "a, b"),
                Field("Steps", null),
                Field("1", null, depth = 1),
                Field("Do", "x", depth = 2),
                Field("Nothing", "–"),
            ),
            fields("""{"place": {"city": "Oslo"}, "tags": ["a", "b"], "steps": [{"do": "x"}], "nothing": null}"""),
        )
    }

    @Test
    fun `half a list or a word stays text until it is whole`() {
        for (part in listOf("", "[", "[1, 2", "\"ye")) assertEquals(Answer.Unfinished(part), read(part, ended = false))
    }

    @Test
    fun `an answer that was cut off is shown as it is`() {
        assertEquals(Answer.Plain("""{"screen": "disp"""), read("""{"screen": "disp"""))
    }

    @Test
    fun `the first rule that holds gives the button`() {
        val wifi = Action(mapOf("setting" to "wifi"), "android.settings.WIFI_SETTINGS")
        val other = Action(emptyMap(), "android.settings.SETTINGS")
        val card = read("""{"setting": "brightness"}""", listOf(wifi, display, other)) as Answer.Card
        assertEquals(display, card.action)
    }

    @Test
    fun `every field of a rule must hold`() {
        val both = Action(mapOf("setting" to "brightness", "action" to "open"), "android.settings.DISPLAY_SETTINGS")
        assertNull((read("""{"setting": "brightness"}""", listOf(both)) as Answer.Card).action)
    }

    @Test
    fun `an intent that leaves the settings is no button`() {
        val call = Action(emptyMap(), "android.intent.action.CALL")
        assertNull((read("""{"setting": "brightness"}""", listOf(call)) as Answer.Card).action)
    }

    @Test
    fun `a bare number or word is a label once it is whole`() {
        assertEquals(Answer.Unfinished("12"), read("12", ended = false))
        assertEquals(Answer.Label("12"), read("12"))
        assertEquals(Answer.Label("yes"), read("\"yes\""))
        assertEquals(Answer.Plain("yes"), read("yes"))
    }
}

internal fun readAnswer(text: String, format: AnswerFormat?, actions: List<Action>, ended: Boolean): Answer =
    AnswerReader(format, actions).read(text, ended)
