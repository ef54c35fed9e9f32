package dev.edgekit.core.engine

import android.app.Application
import androidx.test.ext.junit.runners.AndroidJUnit4
import dev.edgekit.core.AnswerFormat
import dev.edgekit.core.Backend
import dev.edgekit.core.EngineFailure
import dev.edgekit.core.Message
import dev.edgekit.core.Role
import dev.edgekit.core.Sampling
import dev.edgekit.core.bundle.parseManifest
import dev.edgekit.testing.Demo
import java.io.File
import java.io.RandomAccessFile
import java.util.concurrent.CyclicBarrier
import kotlin.concurrent.thread
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.filterIsInstance
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.take
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import org.json.JSONObject
import org.junit.After
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNotEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder
import org.junit.runner.RunWith
import org.robolectric.annotation.Config

private const val WISH = "my screen is too dark"
private const val ANSWER = """{"screen": "display", "setting": "brightness", "action": "increase"}"""
private const val MAX_TOKENS = 512
private const val MANY_TOKENS = 4096

/** The demo model, which answers in a few words, talks on about this until the context is full. */
private val endless = "the ".repeat(200)

@RunWith(AndroidJUnit4::class)
@Config(application = Application::class)
class LiteRtLmTest {
    @get:Rule
    val files = TemporaryFolder()

    private val opened = mutableListOf<Engine>()

    @After
    fun closeEngines() = opened.forEach { it.close() }

    private val engine: Engine by lazy { open() }

    private fun open(maxTokens: Int = MAX_TOKENS) = Demo.open(maxTokens).also { opened += it }

    private val greedy = ConversationSettings(sampling = Sampling.Greedy)

    // --- conversations

    @Test
    fun `an answer under the bundle's format is the desktop's`() {
        val schema = JSONObject(File(Demo.assets, "edgekit.json").readText()).getJSONObject("answer").getString("schema")
        val settings = greedy.copy(answerFormat = AnswerFormat.JsonSchema(schema))
        engine.converse(settings).use { assertEquals(ANSWER, it.ask(WISH)) }
    }

    @Test
    fun `an answer under a regular expression matches it`() {
        val settings = greedy.copy(answerFormat = AnswerFormat.Regex("(yes|no)"))
        engine.converse(settings).use { assertTrue(it.ask(WISH) in listOf("yes", "no")) }
    }

    @Test
    fun `random tokens under a format bring no control characters into a JSON string`() {
        val format = AnswerFormat.JsonSchema("""{"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}""")
        for (seed in 1..6) {
            // Every token is about as likely as any other, those of single bytes among them.
            val random = Sampling.TopP(temperature = 1000f, topK = 2048, topP = 1f, seed = seed)
            engine.converse(ConversationSettings(sampling = random, answerFormat = format)).use { conversation ->
                val answer = conversation.ask(WISH)
                assertTrue("${answer.length} characters", answer.length > 50)
                assertFalse(answer, answer.any { it < ' ' && it !in "\n\r\t" })
            }
        }
    }

    @Test
    fun `the tokens that a format does not understand are those of ASCII bytes and all stop tokens but the first`() {
        val real = engine as LiteRtLmEngine // opened without a manifest
        assertEquals(listOf(6, 1), real.stopIds)
        assertEquals(listOf(1) + real.tokenize("\u0001\u007F").let { (first, last) -> (first - 1)..last }, real.suppressedInFormats.toList())
        assertEquals(129, real.suppressedInFormats.size)
        val manifest = parseManifest(File(Demo.assets, "edgekit.json").readText())
        assertEquals(manifest.suppressedTokens, real.suppressedInFormats.toList())
    }

    @Test
    fun `what the manifest suppresses is not asked of the engine`() {
        val settings = EngineSettings(Demo.model, MAX_TOKENS, suppressedInFormats = listOf(1, 2))
        Demo.loader.open(settings).use { assertEquals(listOf(1, 2), (it as LiteRtLmEngine).suppressedInFormats.toList()) }
    }

    @Test
    fun `a format that the engine cannot take is refused with its reason`() {
        val settings = greedy.copy(answerFormat = AnswerFormat.Regex("(yes|"))
        engine.converse(settings).use { conversation ->
            val failure = assertThrows(EngineFailure.Other::class.java) { conversation.ask(WISH) }
            assertTrue(failure.message!!, "unclosed group" in failure.message!!)
        }
    }

    @Test
    fun `an answer comes in pieces and then its figures`() {
        engine.converse(greedy).use { conversation ->
            val expected = conversation.promptTokens(WISH)
            val pieces = conversation.send(WISH).all()
            assertTrue("${pieces.size} pieces", pieces.size > 5)
            assertEquals(ANSWER, pieces.text())
            val stats = (pieces.last() as Piece.Done).stats
            assertEquals(expected, stats.promptTokens)
            assertEquals(conversation.tokenCount, stats.promptTokens + stats.generatedTokens)
            assertEquals(StopReason.END_OF_TURN, stats.stopReason)
            assertTrue(stats.timeToFirstToken > 0 && stats.prefillSpeed > 0 && stats.decodeSpeed > 0)
        }
    }

    @Test
    fun `the tokens of a later prompt are counted as they are fed`() {
        engine.converse(greedy).use { conversation ->
            conversation.ask(WISH)
            val expected = conversation.promptTokens("turn off wifi please")
            val stats = (conversation.send("turn off wifi please").all().last() as Piece.Done).stats
            assertEquals(expected, stats.promptTokens)
        }
    }

    @Test
    fun `emoji and Japanese go to the engine and come back`() {
        val text = "画面が暗い 🌙 👩‍👩‍👧 \"\\ gjør"
        engine.converse(greedy).use { conversation ->
            assertTrue(text in (conversation as LiteRtLmConversation).render(text))
            assertTrue(conversation.send(text).all().last() is Piece.Done)
        }
        // The demo's tokenizer has no token for it, so it takes one for each of its bytes in UTF-8.
        assertEquals(4, engine.countTokens("a🌙") - engine.countTokens("a"))
    }

    @Test
    fun `a piece of an answer is read whatever it holds`() {
        assertEquals("🌙\n", textOf("""{"content":[{"type":"text","text":"🌙\n"}]}""".encodeToByteArray()))
        assertEquals("", textOf("""{"role":"assistant"}""".encodeToByteArray()))
        assertEquals("{half", textOf("{half".encodeToByteArray()))
    }

    @Test
    fun `NUL characters are refused, the engine would end the text there`() {
        assertThrows(EngineFailure.Other::class.java) { engine.countTokens("a\u0000b") }
        engine.converse(greedy).use { conversation ->
            assertThrows(EngineFailure.Other::class.java) { conversation.ask("a\u0000b") }
            assertEquals(ANSWER, conversation.ask(WISH))
        }
    }

    @Test
    fun `a history taken up again gives the same next answer`() {
        val next = "and quieter"
        val (said, whole) = engine.converse(greedy).use { it.ask(WISH) to it.ask(next) }
        val history = listOf(Message(Role.USER, WISH), Message(Role.MODEL, said))
        engine.converse(greedy.copy(history = history)).use { again ->
            assertEquals(whole, again.ask(next))
        }
        engine.converse(greedy).use { without -> assertNotEquals(without.promptTokens(next), history.size) }
    }

    @Test
    fun `a system prompt is fed`() {
        val without = engine.converse(greedy).use { it.promptTokens(WISH) }
        val with = engine.converse(greedy.copy(systemPrompt = "Be brief.")).use { it.promptTokens(WISH) }
        assertTrue(with > without)
    }

    @Test
    fun `sampling follows its seed`() {
        fun sampled(seed: Int) = engine.converse(
            ConversationSettings(sampling = Sampling.TopP(temperature = 20f, topK = 64, topP = 1f, seed = seed)),
        ).use { conversation -> runBlocking { conversation.send(WISH).filterIsInstance<Piece.Text>().take(12).toList() } }
        assertEquals(sampled(1), sampled(1))
        assertNotEquals(sampled(1), sampled(2))
    }

    @Test
    fun `another conversation is refused until this one is closed`() {
        engine.converse(greedy).use { conversation ->
            assertThrows(IllegalStateException::class.java) { engine.converse(greedy) }
            assertThrows(IllegalStateException::class.java) { engine.measure(64, 32) }
            assertEquals(ANSWER, conversation.ask(WISH))
        }
        engine.converse(greedy).use { assertEquals(ANSWER, it.ask(WISH)) }
    }

    @Test
    fun `conversations leave nothing to the next one`() {
        val prompts = List(12) { "the ".repeat(20 * it) + WISH }
        fun answerTo(prompt: String) = engine.converse(greedy).use { conversation ->
            runBlocking { conversation.send(prompt).filterIsInstance<Piece.Text>().take(30).toList() }.text()
        }
        val forth = prompts.map(::answerTo)
        assertEquals(forth, prompts.reversed().map(::answerTo).reversed())
    }

    // --- stopping

    /** Has room to talk on for seconds. */
    private val talker by lazy { open(MANY_TOKENS) }

    /** What came of stopping it, thrice: null where a busy machine held a thread up until it had said all by itself. */
    private fun <T : Any> stopping(round: (Conversation) -> T?): List<T> =
        List(3) { talker.converse(greedy).use(round) }.filterNotNull().also { assertTrue("none was stopped", it.isNotEmpty()) }

    @Test
    fun `cancelling waits for the engine, which is usable afterwards`() {
        repeat(2) {
            stopping { conversation ->
                val wasInTime = runBlocking {
                    val streaming = CompletableDeferred<Unit>()
                    val answer = launch(Dispatchers.Default) { conversation.send(endless).collect { streaming.complete(Unit) } }
                    streaming.await()
                    answer.cancelAndJoin()
                    answer.isCancelled
                }
                val fed = conversation.tokenCount
                if (wasInTime) assertTrue("it was not cut short: $fed", fed < MANY_TOKENS)
                Thread.sleep(20)
                assertEquals("the engine went on", fed, conversation.tokenCount)
                fed.takeIf { wasInTime }
            }
            talker.converse(greedy).use { assertEquals(ANSWER, it.ask(WISH)) }
        }
    }

    @Test
    fun `a collector that has enough stops the engine, and the conversation takes nothing more`() {
        stopping { conversation ->
            assertEquals(3, runBlocking { conversation.send(endless).take(3).toList() }.size)
            conversation.tokenCount.takeIf { it < MANY_TOKENS }?.also {
                assertThrows(IllegalStateException::class.java) { conversation.ask(WISH) }
            }
        }
        talker.converse(greedy).use { assertEquals(ANSWER, it.ask(WISH)) }
    }

    @Test
    fun `a collector that fails stops the engine`() {
        talker.converse(greedy).use { conversation ->
            assertThrows(IllegalArgumentException::class.java) {
                runBlocking { conversation.send(endless).collect { throw IllegalArgumentException() } }
            }
        }
        talker.converse(greedy).use { assertEquals(ANSWER, it.ask(WISH)) }
    }

    @Test
    fun `closing in the middle of an answer ends it`() {
        val failures = stopping { conversation ->
            runBlocking {
                val streaming = CompletableDeferred<Unit>()
                val failure = async(Dispatchers.Default) {
                    runCatching { conversation.send(endless).collect { streaming.complete(Unit) } }.exceptionOrNull()
                }
                streaming.await()
                conversation.close()
                failure.await()
            }
        }
        assertTrue("$failures", failures.all { it is EngineFailure.Other })
    }

    // --- the context

    @Test
    fun `a prompt that does not fit is refused before anything is fed`() {
        engine.converse(greedy).use { conversation ->
            val failure = assertThrows(EngineFailure.PromptTooLong::class.java) { conversation.ask("the ".repeat(600)) }
            assertTrue(failure.tokens > failure.room)
            assertEquals(0, conversation.tokenCount)
            assertEquals(ANSWER, conversation.ask(WISH))
        }
    }

    @Test
    fun `a prompt needs room for one token of the answer`() {
        val needed = engine.converse(greedy).use { it.promptTokens(WISH) }
        open(maxTokens = needed).converse(greedy).use { full ->
            val failure = assertThrows(EngineFailure.PromptTooLong::class.java) { full.ask(WISH) }
            assertEquals(1, failure.tokens - failure.room)
        }
        open(maxTokens = needed + 1).converse(greedy).use { tight ->
            val stats = (tight.send(WISH).all().last() as Piece.Done).stats
            assertEquals(StopReason.CONTEXT_FULL, stats.stopReason)
        }
    }

    @Test
    fun `an answer ends where the context is full`() {
        engine.converse(greedy).use { conversation ->
            val stats = (conversation.send(endless).all().last() as Piece.Done).stats
            assertEquals(StopReason.CONTEXT_FULL, stats.stopReason)
            assertEquals(MAX_TOKENS, conversation.tokenCount)
            assertThrows(EngineFailure.PromptTooLong::class.java) { conversation.ask(WISH) }
        }
    }

    @Test
    fun `no more tokens are given than the file holds`() {
        open(maxTokens = 1_000_000).converse(greedy).use { conversation ->
            val failure = assertThrows(EngineFailure.PromptTooLong::class.java) { conversation.ask("the ".repeat(5000)) }
            assertEquals(MANY_TOKENS - 1, failure.room)
        }
    }

    // --- measuring

    @Test
    fun `nothing to generate, or to feed, is no measurement`() {
        for ((prefill, decode) in listOf(64 to 0, 0 to 32, 64 to -1)) {
            assertThrows(IllegalArgumentException::class.java) { engine.measure(prefill, decode) }
        }
    }

    @Test
    fun `a measurement has exactly the tokens that were asked for`() {
        for ((prefill, decode) in listOf(64 to 32, 256 to 100, 17 to 3)) {
            val run = engine.measure(prefill, decode)
            assertEquals(prefill, run.prefillTokens)
            assertEquals(decode, run.decodeTokens)
            assertTrue("${run.stamps.size} of $decode", run.stamps.size in 1..decode)
            assertEquals(run.stamps.sorted(), run.stamps)
            assertEquals(run.stamps.first(), run.timeToFirstToken, 0.0)
            assertTrue(run.total >= run.stamps.last())
            assertTrue(run.prefillSpeed > 0 && run.decodeSpeed > 0 && run.engineTimeToFirstToken > 0)
        }
    }

    @Test
    fun `a measurement that does not fit is refused`() {
        assertThrows(EngineFailure.PromptTooLong::class.java) { engine.measure(400, 200) }
    }

    // --- opening and closing

    @Test
    fun `closing twice, and the engine before its conversation, is fine`() {
        val conversation = engine.converse(greedy)
        engine.close()
        engine.close()
        conversation.close()
        assertThrows(IllegalStateException::class.java) { conversation.tokenCount }
        assertThrows(IllegalStateException::class.java) { engine.converse(greedy) }
        assertThrows(IllegalStateException::class.java) { engine.countTokens("a") }
    }

    /** Else the engine would go with a conversation in it, and the process with the engine. */
    @Test
    fun `an engine waits for a conversation that is being closed`() = repeat(20) {
        val engine = Demo.open()
        val conversation = engine.converse(ConversationSettings())
        runBlocking { conversation.send("my screen is too dark").first() }
        val together = CyclicBarrier(2)
        val other = thread { together.await().let { conversation.close() } }
        together.await()
        engine.close()
        other.join()
    }

    @Test
    fun `a missing file`() {
        assertThrows(EngineFailure.ModelMissing::class.java) { openFile(File(files.root, "none.litertlm")) }
        assertThrows(EngineFailure.ModelMissing::class.java) { openFile(files.root) }
    }

    @Test
    fun `a file that was cut short, wherever`() {
        val size = Demo.model.length()
        for (kept in listOf(0, 8, 33, 300, 20_000, size / 2, size - 1)) {
            val failure = assertThrows(EngineFailure.ModelCorrupt::class.java) { openFile(copy(kept)) }
            assertTrue(failure.message!!, "cut short" in failure.message!!)
        }
    }

    @Test
    fun `a file whose head is damaged`() {
        for (at in listOf(0L, 8L, 24L, 32L, 64L)) {
            assertThrows(EngineFailure.ModelCorrupt::class.java) { openFile(copy().apply { zero(at, 64) }) }
        }
    }

    @Test
    fun `a file whose metadata is damaged fails with the engine's reason`() {
        val failure = assertThrows(EngineFailure.ModelCorrupt::class.java) { openFile(copy().apply { zero(16384, 64) }) }
        assertEquals("Failed to parse LlmMetadata", failure.message)
    }

    @Test
    fun `a bundle for a newer runtime`() {
        val settings = EngineSettings(Demo.model, MAX_TOKENS, minimumRuntime = "0.19.0")
        val failure = assertThrows(EngineFailure.RuntimeTooOld::class.java) { Demo.loader.open(settings) }
        assertEquals("0.18.1", failure.has)
        assertEquals("0.19.0", failure.needs)
    }

    @Test
    fun `versions are compared by their numbers`() {
        assertTrue(isOlder("0.9.0", "0.18.1"))
        assertTrue(isOlder("0.18.1", "0.18.1.1"))
        assertTrue(isOlder("0.18.1", "1"))
        assertFalse(isOlder("0.18.1", "0.18.1"))
        assertFalse(isOlder("0.18.1", "0.18"))
        assertFalse(isOlder("1.0.0", "0.18.1"))
    }

    @Test
    fun `a backend that cannot run the file`() {
        val failure = assertThrows(EngineFailure.BackendUnavailable::class.java) {
            Demo.loader.open(EngineSettings(Demo.model, MAX_TOKENS, Backend.GPU))
        }
        assertEquals(Backend.GPU, failure.backend)
        assertTrue(failure.message!!, "only supports CPU" in failure.message!!)
    }

    @Test
    fun `libraries that do not load`() {
        val loader = LiteRtLm { System.load("/nowhere/libedgekit.so") }
        val failure = assertThrows(EngineFailure.Other::class.java) { loader.open(EngineSettings(Demo.model, MAX_TOKENS)) }
        assertTrue(failure.cause is UnsatisfiedLinkError)
    }

    @Test
    fun `memory that ran out is told apart`() {
        assertTrue(failureOf("INTERNAL: Failed to allocate 12 bytes") is EngineFailure.OutOfMemory)
        assertTrue(failureOf("RESOURCE_EXHAUSTED: no") is EngineFailure.OutOfMemory)
        assertTrue(failureOf("whatever", code = 8) is EngineFailure.OutOfMemory)
        assertTrue(failureOf("INTERNAL: whatever") is EngineFailure.Other)
    }

    @Test
    fun `the engine keeps its packed weights only where it is told to`() {
        val model = copy()
        Demo.loader.open(EngineSettings(model, MAX_TOKENS)).close()
        assertEquals(listOf(model.name), files.root.list()!!.toList())
        val cache = File(files.root, "a/cache")
        Demo.loader.open(EngineSettings(model, MAX_TOKENS, cacheDir = cache)).close()
        assertEquals(setOf(model.name, "a"), files.root.list()!!.toSet())
        assertTrue(cache.list().orEmpty().isNotEmpty())
    }

    @Test
    fun `a hundred conversations leave no memory behind`() {
        // The constraint is what takes most of a conversation's memory.
        val settings = greedy.copy(answerFormat = AnswerFormat.Regex("[a-z]{9}"))
        fun converse() = engine.converse(settings).use { it.ask(WISH) }
        repeat(20) { converse() }
        val before = residentBytes()
        repeat(100) { converse() }
        val grown = residentBytes() - before
        assertTrue("${grown / 1024} KiB", grown < 24L * 1024 * 1024)
    }

    private fun openFile(model: File) = Demo.loader.open(EngineSettings(model, MAX_TOKENS)).also { opened += it }

    private fun copy(bytes: Number = Demo.model.length()): File {
        val copy = File(files.root, "copy.litertlm")
        Demo.model.copyTo(copy, overwrite = true)
        RandomAccessFile(copy, "rw").use { it.setLength(bytes.toLong()) }
        return copy
    }

    private fun File.zero(at: Long, count: Int) = RandomAccessFile(this, "rw").use {
        it.seek(at)
        it.write(ByteArray(count))
    }

    private fun residentBytes(): Long {
        System.gc()
        return File("/proc/self/statm").readText().split(' ')[1].toLong() * 4096
    }
}

private fun Flow<Piece>.all(): List<Piece> = runBlocking { toList() }

private fun List<Piece>.text() = filterIsInstance<Piece.Text>().joinToString("") { it.text }

private fun Conversation.ask(text: String): String = send(text).all().text()
