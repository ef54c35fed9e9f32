package dev.edgekit.core.engine

import android.app.Application
import androidx.test.ext.junit.runners.AndroidJUnit4
import dev.edgekit.core.AnswerFormat
import dev.edgekit.core.EngineFailure
import dev.edgekit.core.Sampling
import dev.edgekit.testing.Demo
import java.io.File
import kotlinx.coroutines.flow.filterIsInstance
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.runBlocking
import org.json.JSONObject
import org.junit.After
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder
import org.junit.runner.RunWith
import org.robolectric.annotation.Config

private const val PRAISE = "I love the keyboard"
private const val POSITIVE = """{"sentiment": "positive"}"""
private const val WISH = "my screen is too dark"
private const val BRIGHTER = """{"screen": "display", "setting": "brightness", "action": "increase"}"""
private const val MAX_TOKENS = 512

/** The real engine with adapters of the demo base: they come and go with the conversation. */
@RunWith(AndroidJUnit4::class)
@Config(application = Application::class)
class AdaptersInEngineTest {
    @get:Rule
    val files = TemporaryFolder()

    private val assets = Demo.severalTasks
    private val sentiment = File(assets, "adapters/sentiment/sentiment.lora.tflite")
    private val triage = File(assets, "adapters/support-triage/support-triage.lora.tflite")
    private val support = AdapterSupport(rank = 16, File(assets, "empty.lora.tflite"), bytes = 1_300_000)
    private var engine = open(support)

    @After
    fun close() = engine.close()

    private fun open(support: AdapterSupport) = Demo.loader.open(EngineSettings(Demo.modelIn(assets), MAX_TOKENS, adapters = support))

    private fun formatOf(manifest: String) = AnswerFormat.JsonSchema(
        JSONObject(File(assets, manifest).readText()).getJSONObject("answer").getJSONObject("schema").toString(),
    )

    private val inBase = ConversationSettings(sampling = Sampling.Greedy, answerFormat = formatOf("edgekit.json"))
    private val inSentiment = ConversationSettings(
        sampling = Sampling.Greedy,
        answerFormat = formatOf("adapters/sentiment/adapter.json"),
        adapter = sentiment,
    )

    private fun Conversation.ask(text: String): String =
        runBlocking { send(text).filterIsInstance<Piece.Text>().toList() }.joinToString("") { it.text }

    private fun ask(settings: ConversationSettings, prompt: String) = engine.converse(settings).use { it.ask(prompt) }

    @Test
    fun `each conversation answers with its own adapter`() {
        repeat(5) {
            assertEquals(BRIGHTER, ask(inBase, WISH))
            assertEquals(POSITIVE, ask(inSentiment, PRAISE))
        }
    }

    @Test
    fun `without a format as well`() {
        val free = ConversationSettings(sampling = Sampling.Greedy)
        repeat(3) {
            assertEquals(POSITIVE, ask(free.copy(adapter = sentiment), PRAISE))
            assertEquals(BRIGHTER, ask(free, WISH))
            assertTrue(ask(free.copy(adapter = triage), PRAISE) != POSITIVE)
        }
    }

    @Test
    fun `the model alone answers as one that takes no adapters`() {
        val prompts = listOf(WISH, "turn off wifi please", "字が小さくて読めない")
        val free = ConversationSettings(sampling = Sampling.Greedy)
        val expected = Demo.open().use { plain -> prompts.map { prompt -> plain.converse(free).use { it.ask(prompt) } } }
        assertEquals(expected, prompts.map { ask(free, it) })
    }

    @Test
    fun `another conversation must be closed before`() {
        engine.converse(inBase).use {
            assertThrows(IllegalStateException::class.java) { engine.converse(inSentiment) }
            assertEquals(BRIGHTER, it.ask(WISH))
        }
        assertEquals(POSITIVE, ask(inSentiment, PRAISE))
    }

    @Test
    fun `a measurement with an adapter has exactly the tokens that were asked for`() {
        val run = engine.measure(64, 32, sentiment)
        assertEquals(listOf(64, 32), listOf(run.prefillTokens, run.decodeTokens))
    }

    @Test
    fun `another template is fed`() {
        val template = "{% for m in messages %}{{ m['content'][0]['text'] }}{% endfor %}"
        val usual = engine.converse(inBase).use { it.promptTokens(WISH) }
        val bare = engine.converse(inBase.copy(promptTemplate = template)).use { it.promptTokens(WISH) }
        assertEquals(engine.countTokens(WISH) + 1, bare)
        assertTrue(bare < usual)
    }

    @Test
    fun `a sidecar that is gone`() {
        assertThrows(EngineFailure.ModelMissing::class.java) { ask(inSentiment.copy(adapter = File(files.root, "gone.lora.tflite")), PRAISE) }
    }

    @Test
    fun `a hundred switches answer the same, and what they leave behind is cleared away`() {
        engine.close()
        engine = open(support.copy(bytes = 20_000_000))
        fun switches(count: Int) = repeat(count) {
            assertEquals(POSITIVE, ask(inSentiment, PRAISE))
            assertEquals(BRIGHTER, ask(inBase, WISH))
        }
        switches(20)
        val before = residentBytes()
        switches(60)
        val grown = residentBytes() - before
        // Without a new engine at every tenth it would be 150 MB; what remains is the allocators', of threads that came and went.
        assertTrue("${grown / 1024} KiB", grown < 90L * 1024 * 1024)
    }

    private fun residentBytes(): Long {
        System.gc()
        return File("/proc/self/statm").readText().split(' ')[1].toLong() * 4096
    }
}
