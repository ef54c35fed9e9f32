package dev.edgekit.core

import android.app.Application
import androidx.test.ext.junit.runners.AndroidJUnit4
import dev.edgekit.core.answers.Answer
import dev.edgekit.testing.DemoBundle
import dev.edgekit.testing.ModelRule
import java.util.concurrent.atomic.AtomicInteger
import kotlin.time.Duration.Companion.seconds
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.awaitCancellation
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.last
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.annotation.Config

private const val BRIGHTER = """{"screen": "display", "setting": "brightness", "action": "increase"}"""
private const val WIFI = "turn off wifi please"
private const val NO_WIFI = """{"screen": "network", "setting": "wifi", "action": "disable"}"""

/** Asking, with the real engine. */
@RunWith(AndroidJUnit4::class)
@Config(application = Application::class)
class SessionTest {
    @get:Rule
    val rule = ModelRule()

    private val model get() = rule.model

    private fun test(block: suspend () -> Unit) = runBlocking(Dispatchers.Default) { withTimeout(60.seconds) { block() } }

    @Test
    fun `an answer grows piece by piece and ends with its figures`() = test {
        val replies = model.session().ask(DemoBundle.PROMPT).toList()
        val partial = replies.filterIsInstance<Reply.Partial>()
        assertEquals(partial, replies.dropLast(1))
        assertEquals(BRIGHTER, partial.joinToString("") { it.piece })
        assertEquals(partial.runningFold("") { text, reply -> text + reply.piece }.drop(1), partial.map { it.text })
        val whole = replies.last() as Reply.Complete
        assertEquals(BRIGHTER, whole.text)
        assertEquals(Finish.END, whole.finish)
        assertTrue(whole.figures.run { promptTokens > 5 && answerTokens > 5 && timeToFirstToken > 0 && prefillSpeed > 0 && decodeSpeed > 0 })
    }

    @Test
    fun `nothing is asked before somebody listens, and again for each who does`() = test {
        val flow = model.session().ask(DemoBundle.PROMPT)
        assertEquals(listOf(BRIGHTER, BRIGHTER), listOf(flow.last().text, flow.last().text))
    }

    @Test
    fun `an answer is read in the task's form`() = test {
        val session = model.session()
        val fields = (session.read(session.answer(WIFI), isWhole = true) as Answer.Card).fields
        assertEquals(listOf("Network", "Wifi", "Disable"), fields.map { it.value })
        assertEquals(listOf("Network", "", ""), (session.read("""{"screen": "net""", isWhole = false) as Answer.Card).fields.map { it.value })
    }

    @Test
    fun `whoever asks at the same time is answered in turn`() = test {
        val one = model.session()
        val prompts = List(6) { if (it % 2 == 0) DemoBundle.PROMPT to BRIGHTER else WIFI to NO_WIFI }
        coroutines {
            prompts.mapIndexed { index, (prompt, answer) ->
                async { answer to (if (index < 3) one else model.session()).answer(prompt) }
            }.awaitAll().forEach { (wanted, got) -> assertEquals(wanted, got) }
        }
    }

    @Test
    fun `who stops listening stops the engine, and the session goes on`() = test {
        val session = model.session()
        val piece = session.ask(DemoBundle.PROMPT).first()
        assertTrue(piece is Reply.Partial)
        coroutines {
            val seen = CompletableDeferred<Unit>()
            val job = launch { session.ask(WIFI).collect { seen.complete(Unit) } }
            seen.await()
            job.cancel()
        }
        assertEquals(NO_WIFI, session.answer(WIFI))
    }

    @Test
    fun `one may ask from within an answer`() = test {
        val session = model.session()
        val count = AtomicInteger()
        session.ask(DemoBundle.PROMPT).collect { reply ->
            if (count.getAndIncrement() == 0 || reply is Reply.Complete) assertEquals(NO_WIFI, session.answer(WIFI))
        }
    }

    @Test
    fun `a listener who is slow does not hold up the others`() = test {
        coroutines {
            val heard = CompletableDeferred<Unit>()
            val slow = async {
                model.session().ask(DemoBundle.PROMPT).collect {
                    heard.complete(Unit)
                    awaitCancellation()
                }
            }
            heard.await()
            assertEquals(NO_WIFI, model.session().answer(WIFI))
            assertTrue(slow.isActive)
            slow.cancel()
        }
    }

    @Test
    fun `a prompt that is too long is refused before anything is fed`() = test {
        val session = model.session()
        val failure = runCatching { session.answer("my screen is too dark ".repeat(model.info.contextTokens)) }.exceptionOrNull()
        assertTrue("$failure", failure is EngineFailure.PromptTooLong)
        assertEquals(BRIGHTER, session.answer(DemoBundle.PROMPT))
    }

    @Test
    fun `closing a session ends its answer and no other`() = test {
        val session = model.session()
        coroutines {
            val started = CompletableDeferred<Unit>()
            val answer = async {
                runCatching { while (true) session.ask(DemoBundle.PROMPT).collect { started.complete(Unit) } }.exceptionOrNull()
            }
            started.await()
            session.close()
            assertEquals(BRIGHTER, model.session().answer(DemoBundle.PROMPT))
            answer.await().let { assertTrue("$it", it is EdgekitFailure.Closed) }
        }
        assertThrows(EdgekitFailure.Closed::class.java) { runBlocking { session.answer(WIFI) } }
        assertEquals(NO_WIFI, model.session().answer(WIFI))
    }

    @Test
    fun `closing the model ends all that is under way`() = test {
        val session = model.session()
        coroutines {
            val started = CompletableDeferred<Unit>()
            val failures = List(3) {
                async { runCatching { while (true) session.ask(WIFI).collect { started.complete(Unit) } }.exceptionOrNull() }
            }
            started.await()
            model.close()
            model.close()
            failures.awaitAll().forEach { assertTrue("$it", it is EdgekitFailure.Closed) }
        }
        assertThrows(EdgekitFailure.Closed::class.java) { model.session() }
    }

    @Test
    fun `this computer answers as the desktop did`() = test {
        val results = model.selfTest().toList()
        assertEquals(model.info.tasks.single().goldens, results.size)
        results.forEach { assertTrue("${it.prompt}: ${it.answer}", it.same && it.failure == null) }
    }

    @Test
    fun `a benchmark measures, and the model answers again`() = test {
        val steps = mutableListOf<BenchmarkStep>()
        val report = model.benchmark(BenchmarkPlan(prefill = 16, decode = 4, runs = 1, warmup = 0)) { steps += it.step }
        assertEquals(listOf(BenchmarkStep.COLD_START, BenchmarkStep.WARM_START, BenchmarkStep.RUN), steps)
        assertTrue(report.run { coldStart > 0 && warmStart > 0 && prefillSpeed.median > 0 && decodeSpeed.median > 0 && "\"schema_version\": 1" in json })
        assertEquals(2, report.csv.trim().lines().size)
        assertEquals(BRIGHTER, model.session().answer(DemoBundle.PROMPT))
    }

    @Test
    fun `another task than there are is the caller's mistake`() {
        assertThrows(IllegalArgumentException::class.java) { model.session("cooking") }
    }
}

private suspend fun coroutines(block: suspend CoroutineScope.() -> Unit) = coroutineScope(block)
