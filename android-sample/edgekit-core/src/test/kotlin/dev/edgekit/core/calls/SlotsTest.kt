package dev.edgekit.core.calls

import android.app.Application
import androidx.test.ext.junit.runners.AndroidJUnit4
import dev.edgekit.core.BundleFailure
import dev.edgekit.core.bundle.CallChoice
import dev.edgekit.core.bundle.Dialect
import dev.edgekit.core.bundle.parseManifest
import dev.edgekit.testing.CALLING
import dev.edgekit.testing.demoManifest
import dev.edgekit.testing.sampleCalling
import java.time.LocalDateTime
import org.json.JSONObject
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNull
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.annotation.Config

/** From a manifest's tools to fields that can be edited, and back to a call. */
@RunWith(AndroidJUnit4::class)
@Config(application = Application::class)
class SlotsTest {
    private val tools = sampleCalling().tools

    private fun filled(name: String, vararg arguments: Pair<String, Any>) = fill(Call(name, mapOf(*arguments)), tools)!!

    private fun Filled.problemOf(name: String) = slots.single { it.parameter.name == name }.problem

    @Test
    fun `the manifest's tools, each parameter of its kind`() {
        val calling = sampleCalling()
        assertEquals(Dialect.JSON to CallChoice.AUTO, calling.dialect to calling.choice)
        fun kinds(tool: String) = tools.single { it.name == tool }.parameters.map { it.kind }
        assertEquals(listOf(ParameterKind.Text, ParameterKind.DateTime), kinds("create_calendar_event"))
        val number = ParameterKind.Number(whole = true, minimum = null, maximum = null)
        assertEquals(listOf(number, ParameterKind.Choice(listOf("media", "alarm")), ParameterKind.Flag), kinds("set_volume"))
        assertEquals(listOf(ParameterKind.Json, number.copy(whole = false)), kinds("order_pizza"))
        assertNull(parseManifest(demoManifest { put("calling", JSONObject.NULL) }).calling)
    }

    @Test
    fun `tools that cannot be read name their key`() {
        fun message(change: JSONObject.() -> Unit) = assertThrows(BundleFailure.Unreadable::class.java) {
            parseManifest(demoManifest { put("calling", JSONObject(CALLING).apply(change)) })
        }.message!!
        assertTrue("calling.dialect" in message { put("dialect", "latin") })
        assertTrue("calling.choice" in message { remove("choice") })
        assertTrue("calling.tools" in message { remove("tools") })
        assertTrue("calling.tools[0].name" in message { getJSONArray("tools").getJSONObject(0).put("name", "a b") })
        assertTrue("calling.tools[0].parameters" in message { getJSONArray("tools").getJSONObject(0).put("parameters", 3) })
        assertTrue("calling.role" in message { put("role", "user") })
        assertTrue("calling.declarations" in message { remove("declarations") })
        val twice = message { getJSONArray("tools").apply { put(getJSONObject(0)) } }
        assertTrue("different names" in twice)
    }

    @Test
    fun `a call fills the slots, and an edit changes the call`() {
        val timer = filled("set_timer", "minutes" to 5, "label" to "tea", "loud" to true)
        assertEquals(listOf("5", "tea"), timer.slots.map { it.text })
        assertEquals(listOf("loud"), timer.extra)
        assertEquals(Call("set_timer", mapOf("minutes" to 7L)), timer.with("minutes", " 7 ").with("label", "").call())
        assertNull(fill(Call("fly", emptyMap()), tools))
    }

    @Test
    fun `what is no value of its kind is a problem`() {
        val timer = filled("set_timer")
        assertFalse(timer.isReady)
        assertEquals(SlotProblem.MISSING, timer.problemOf("minutes"))
        assertEquals(SlotProblem.NO_NUMBER, timer.with("minutes", "five").problemOf("minutes"))
        assertEquals(SlotProblem.NO_NUMBER, filled("set_timer", "minutes" to 2.5).problemOf("minutes"))
        assertEquals(null, filled("set_timer", "minutes" to 2.0).problemOf("minutes"))
        assertEquals(SlotProblem.NO_CHOICE, filled("set_volume", "percent" to 3, "stream" to "radio").problemOf("stream"))
        assertEquals(SlotProblem.NO_DATE, filled("create_calendar_event", "title" to "x", "datetime" to "soon").problemOf("datetime"))
        assertEquals(SlotProblem.NO_JSON, filled("order_pizza", "toppings" to "ham").problemOf("toppings"))
        val pizza = filled("order_pizza", "toppings" to listOf("ham", "öl"), "size" to 1.5)
        assertEquals(mapOf("toppings" to listOf("ham", "öl"), "size" to 1.5), pizza.call().arguments)
    }

    @Test
    fun `moments as models write them`() {
        val expected = LocalDateTime.of(2026, 3, 5, 10, 0)
        for (text in listOf("2026-03-05T10:00:00", "2026-03-05T10:00", "2026-03-05 10:00:00")) assertEquals(expected, momentOf(text))
        assertEquals("2026-03-05T10:00:00", isoOf(expected))
        assertEquals(LocalDateTime.of(2026, 3, 5, 0, 0), momentOf("2026-03-05"))
        assertNull(momentOf("2026-02-30T10:00:00"))
    }
}
