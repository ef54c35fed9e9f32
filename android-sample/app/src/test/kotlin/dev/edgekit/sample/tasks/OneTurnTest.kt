package dev.edgekit.sample.tasks

import android.app.Application
import androidx.test.ext.junit.runners.AndroidJUnit4
import dev.edgekit.core.bundle.parseManifest
import dev.edgekit.testing.Demo
import dev.edgekit.testing.openModel
import dev.edgekit.testing.sampleBundle
import java.io.File
import kotlin.time.Duration.Companion.seconds
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import org.json.JSONObject
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.annotation.Config

/** The real engine with a bundle whose manifest says "one" turn, and "many". */
@RunWith(AndroidJUnit4::class)
@Config(application = Application::class)
class OneTurnTest {
    /** What is in the context after each answer, when the same is asked again and again. */
    private fun contextAfterEach(turns: String, format: Boolean = false): List<Pair<String, Int>> = Demo.open().use { engine ->
        val json = JSONObject(File(Demo.assets, "edgekit.json").readText()).put("schema_version", 3).put("turns", turns)
        if (!format) json.put("answer", JSONObject.NULL)
        val bundle = sampleBundle(model = Demo.model).copy(manifest = parseManifest(json.toString()))
        val model = openModel(bundle, engine)
        val dialogue = Dialogue(model, model.info.tasks.single(), Floor(), CoroutineScope(SupervisorJob() + Dispatchers.Default))
        runBlocking {
            List(3) { count ->
                dialogue.send("my screen is too dark")
                val state = withTimeout(60.seconds) { dialogue.state.first { !it.answering && it.transcript.turns.size == count + 1 } }
                state.transcript.turns.last().answer to state.transcript.contextUsed
            }
        }
    }

    @Test
    fun `with one turn nothing of earlier messages is in the context, and the answer stays the same`() {
        val one = contextAfterEach("one")
        assertEquals(1, one.distinct().size)
        val many = contextAfterEach("many")
        assertEquals(one.first(), many.first())
        assertTrue("$many", many[0].second < many[1].second && many[1].second < many[2].second)
    }

    @Test
    fun `where the manifest says many the model sees earlier messages under a format, too`() {
        val one = contextAfterEach("one", format = true)
        assertEquals(1, one.distinct().size)
        val many = contextAfterEach("many", format = true)
        assertEquals(one.first(), many.first())
        assertTrue("$many", many[0].second < many[1].second && many[1].second < many[2].second)
    }
}
