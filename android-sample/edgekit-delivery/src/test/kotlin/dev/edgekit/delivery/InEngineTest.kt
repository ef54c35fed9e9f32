package dev.edgekit.delivery

import android.app.Application
import android.content.Context
import androidx.test.core.app.ApplicationProvider
import androidx.test.ext.junit.runners.AndroidJUnit4
import dev.edgekit.core.BundleSource
import dev.edgekit.core.Edgekit
import dev.edgekit.core.EdgekitFailure
import dev.edgekit.core.EngineFailure
import dev.edgekit.core.Model
import dev.edgekit.core.OpenOptions
import dev.edgekit.core.engine.LiteRtLm
import dev.edgekit.testing.Demo
import dev.edgekit.testing.ModelRule
import java.io.File
import kotlinx.coroutines.runBlocking
import org.json.JSONArray
import org.json.JSONObject
import org.junit.After
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Before
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder
import org.junit.runner.RunWith
import org.robolectric.annotation.Config

private const val PRAISE = "I love the keyboard"
private const val POSITIVE = """{"sentiment": "positive"}"""
private const val ADAPTER = "adapters/sentiment/"

/** The demo bundle, fetched from a host, tried in the real engine, and opened. */
@RunWith(AndroidJUnit4::class)
@Config(application = Application::class)
class InEngineTest {
    @get:Rule
    val folder = TemporaryFolder()

    private val context: Context get() = ApplicationProvider.getApplicationContext()
    private val key = Keys(1)
    private val host = TestHost()
    private val demo = filesIn(Demo.severalTasks).signed(key)
    private val client by lazy { Client(folder.root, host.address, trial = GoldenTrial(context, key.pem)) }
    private val opened = mutableListOf<Model>()

    @Before
    fun engineOfThisComputer() = ModelRule.useEngineOfThisComputer()

    @After
    fun close() {
        opened.forEach { it.close() }
        Edgekit.loader = LiteRtLm()
        host.close()
    }

    private fun open(): Model = runBlocking {
        Edgekit.open(context, BundleSource.Folder(checkNotNull(client.current())), OpenOptions(signer = key.pem)).also(opened::add)
    }

    private fun answer(model: Model) = runBlocking { model.session("sentiment").answer(PRAISE) }

    private fun withoutSentiment(): Files {
        val tasks = JSONObject(demo.getValue("tasks.json").decodeToString())
        val all = tasks.getJSONArray("tasks")
        val kept = JSONArray()
        (0 until all.length()).map(all::getJSONObject).filter { it.optString("adapter") != "sentiment" }.forEach(kept::put)
        val content = tasks.put("tasks", kept).toString().encodeToByteArray()
        return (demo.filterKeys { !it.startsWith(ADAPTER) } + ("tasks.json" to content)).signed(key)
    }

    @Test
    fun `what was fetched answers as it was published`() {
        host.publish(demo, 1)
        client.fetch()
        val asked = client.told.filterIsInstance<Progress.Trying>()
        assertTrue("$asked", asked.last().total > 8 && asked.last().done == asked.last().total)
        assertEquals(POSITIVE, answer(open()))
    }

    @Test
    fun `a bundle that was put together wrongly is not taken`() {
        host.publish(demo, 1)
        client.fetch()
        val sidecar = demo.keys.single { it.startsWith(ADAPTER) && it.endsWith(".tflite") }
        host.publish(demo + (sidecar to demo.getValue(sidecar).copyOf().also { it.fill(0, it.size / 2) }), 2)
        fails<DeliveryFailure.DoesNotOpen> { client.fetch() }
        assertNull(client.check())
        assertEquals("1", client.current()!!.name)
    }

    @Test
    fun `answers that differ leave the bundle before`() {
        host.publish(demo, 1)
        client.fetch()
        val tasks = demo.getValue("tasks.json").decodeToString().replace("brightness", "contrast")
        host.publish((demo + ("tasks.json" to tasks.encodeToByteArray())).signed(key), 2)
        val failure = fails<DeliveryFailure.Differs> { client.fetch() }
        assertTrue("$failure", failure.same in 1 until failure.asked)
        assertEquals("1", client.current()!!.name)
        assertEquals(POSITIVE, answer(open()))
    }

    @Test
    fun `while a model is open the new one waits`() {
        host.publish(withoutSentiment(), 1)
        client.fetch()
        val model = open()
        host.publish(demo, 2)
        val update = client.check()!!
        assertTrue(!update.model && update.adapters == listOf("sentiment"))
        fails<DeliveryFailure.NotNow> { client.fetch(update) }
        model.close()
        host.contents()
        client.fetch(update)
        assertEquals("nothing is fetched again", emptyList<Asked>(), host.contents())
        assertEquals(POSITIVE, answer(open()))
    }

    @Test
    fun `failures speak against the bundle, the moment, or the app`() {
        assertTrue(judged(EngineFailure.ModelCorrupt("?")) is DeliveryFailure.DoesNotOpen)
        assertTrue(judged(EngineFailure.OutOfMemory("?")) is DeliveryFailure.NotNow)
        assertTrue(judged(EdgekitFailure.NotEnoughMemory(2, 1, null)) is DeliveryFailure.NotNow)
        assertTrue(judged(EngineFailure.RuntimeTooOld("0.18", "0.19")) is DeliveryFailure.NeedsNewerApp)
    }
}
