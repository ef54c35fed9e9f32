package dev.edgekit.sample.tasks

import android.net.Uri
import dev.edgekit.core.Backend
import dev.edgekit.core.BundleFailure
import dev.edgekit.core.BundleSource
import dev.edgekit.core.EdgekitFailure
import dev.edgekit.core.EngineFailure
import dev.edgekit.core.Model
import dev.edgekit.core.OpenOptions
import dev.edgekit.core.OpenProgress
import dev.edgekit.testing.FakeEngine
import dev.edgekit.testing.openModel
import dev.edgekit.testing.sampleBundle
import java.util.concurrent.CopyOnWriteArrayList
import kotlin.time.Duration.Companion.seconds
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.awaitCancellation
import kotlinx.coroutines.cancel
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.filterIsInstance
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import org.junit.After
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertSame
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner

@RunWith(RobolectricTestRunner::class)
class ModelHostTest {
    private val bundle = sampleBundle()
    private val engines = CopyOnWriteArrayList<FakeEngine>()
    private val asked = CopyOnWriteArrayList<OpenOptions>()
    private val choices = MemoryChoices()
    private val scope = CoroutineScope(SupervisorJob() + Dispatchers.Default)

    @After
    fun cancel() = scope.cancel()

    private fun opened(options: OpenOptions): Model = openModel(bundle, FakeEngine().also { engines += it }, options.backend)

    private fun host(opener: Opener = Opener { _, options -> opened(options) }) =
        ModelHost({ source, options -> asked += options; opener.open(source, options) }, choices, scope)

    /** Fails so often, then opens. */
    private fun hostThatFails(vararg failures: Exception): ModelHost {
        val left = ArrayDeque(failures.toList())
        return host { _, options -> left.removeFirstOrNull()?.let { throw it } ?: opened(options) }
    }

    private suspend inline fun <reified T : HostState> ModelHost.await(): T = withTimeout(60.seconds) { state.filterIsInstance<T>().first() }

    private suspend fun FakeEngine.awaitClosed() = withTimeout(60.seconds) { while (!isClosed) delay(5) }

    @Test
    fun `tells what takes time, and is ready`() = runBlocking {
        val goesOn = CompletableDeferred<Unit>()
        val host = host { _, options ->
            options.onProgress(OpenProgress.Copying(1, 2))
            goesOn.await()
            opened(options)
        }
        host.ensureStarted()
        withTimeout(60.seconds) { host.state.first { it == HostState.Opening(OpenProgress.Copying(1, 2)) } }
        goesOn.complete(Unit)
        assertEquals("sample", host.await<HostState.Ready>().model.info.name)
    }

    @Test
    fun `a model that took the app with it is opened again by its user's wish only`() = runBlocking<Unit> {
        val host = hostThatFails(EngineFailure.Died("it ended"))
        host.ensureStarted()
        assertTrue(host.await<HostState.Failed>().failure is EngineFailure.Died)
        host.retry()
        host.await<HostState.Ready>()
        host.open()
        withTimeout(60.seconds) { while (engines.size < 2) delay(5) }
        host.await<HostState.Ready>()
        assertEquals(listOf(false, true, false), asked.map { it.afterCrash })
    }

    @Test
    fun `with too little memory its user chooses a smaller context, or takes the risk`() = runBlocking<Unit> {
        for ((fitting, beyond) in listOf(512 to false, null to true)) {
            asked.clear()
            val host = hostThatFails(EdgekitFailure.NotEnoughMemory(9, 3, 512))
            host.ensureStarted()
            host.await<HostState.Failed>()
            host.openInLittleMemory(fitting)
            host.await<HostState.Ready>()
            host.rest()
            host.await<HostState.Opening>()
            host.wake()
            host.await<HostState.Ready>()
            assertEquals(listOf(null, fitting, fitting), asked.map { it.contextTokens })
            assertEquals(listOf(false, beyond, beyond), asked.map { it.beyondMemory })
        }
    }

    @Test
    fun `a failure is told, and what failed is tried again`() = runBlocking<Unit> {
        for (failure in listOf(BundleFailure.NoSpace(2, 1), EngineFailure.OutOfMemory("no memory"), IllegalStateException("odd"), SecurityException("not yours"))) {
            val host = hostThatFails(failure)
            host.ensureStarted()
            assertSame(failure, host.await<HostState.Failed>().failure)
            host.retry()
            host.await<HostState.Ready>()
        }
    }

    @Test
    fun `a picked model is the next start's only once it is open`() = runBlocking<Unit> {
        val picked = BundleSource.Document(Uri.parse("content://provider/1"))
        val host = hostThatFails(EngineFailure.ModelCorrupt("bad"))
        host.open(picked)
        host.await<HostState.Failed>()
        assertEquals(picked, host.choice)
        assertEquals(BundleSource.Assets(), choices.bundle)
        host.retry()
        host.await<HostState.Ready>()
        assertEquals(picked, choices.bundle)
    }

    @Test
    fun `out of sight it gives the model's memory back, and opens it again when it is looked at`() = runBlocking {
        val host = host()
        host.ensureStarted()
        host.await<HostState.Ready>()
        host.wake()
        host.rest()
        host.await<HostState.Opening>()
        engines.single().awaitClosed()
        host.wake()
        host.await<HostState.Ready>()
        assertEquals(2, engines.size)
    }

    @Test
    fun `another backend closes the engine and opens one anew`() = runBlocking {
        val host = host()
        host.ensureStarted()
        val before = host.await<HostState.Ready>().model
        choices.backend = Backend.GPU
        host.open()
        val after = withTimeout(60.seconds) { host.models.first { it != null && it !== before } }
        assertEquals(Backend.GPU, after?.backend)
        engines.first().awaitClosed()
        assertFalse(engines.last().isClosed)
    }

    @Test
    fun `the GPU is tried again when its user asks for it`() = runBlocking<Unit> {
        val host = host()
        host.ensureStarted()
        host.await<HostState.Ready>()
        host.retryGpu()
        withTimeout(60.seconds) { while (engines.size < 2) delay(5) }
        host.await<HostState.Ready>()
        assertEquals(listOf(false, true), asked.map { it.retriesGpu })
    }

    @Test
    fun `who changes one's mind while a model opens gets the other, and the first is not left open`() = runBlocking {
        val begun = CompletableDeferred<Unit>()
        var wasCancelled = false
        val other = BundleSource.Assets("other")
        val host = host { source, options ->
            if (source == other) return@host opened(options)
            begun.complete(Unit)
            try {
                awaitCancellation()
            } finally {
                wasCancelled = true
            }
        }
        host.ensureStarted()
        begun.await()
        host.open(other)
        host.await<HostState.Ready>()
        assertTrue(wasCancelled)
        assertEquals(1, engines.size)
    }

    @Test
    fun `nobody else has the model while it is lent, and it is ready again afterwards`() = runBlocking {
        val host = host()
        host.ensureStarted()
        val model = host.await<HostState.Ready>().model
        host.lend { lent ->
            assertSame(model, lent)
            asked.single().onProgress(OpenProgress.Starting)
            assertEquals(HostState.Lent(model), host.state.value)
        }
        assertSame(model, host.await<HostState.Ready>().model)
    }

    @Test
    fun `is ready again when the borrower is cancelled`() = runBlocking<Unit> {
        val host = host()
        host.ensureStarted()
        host.await<HostState.Ready>()
        val borrower = launch(Dispatchers.Default) { host.lend { awaitCancellation() } }
        host.await<HostState.Lent>()
        borrower.cancelAndJoin()
        host.await<HostState.Ready>()
    }
}
