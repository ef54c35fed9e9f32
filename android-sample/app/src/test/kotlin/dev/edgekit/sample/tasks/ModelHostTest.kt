package dev.edgekit.sample.tasks

import dev.edgekit.core.Backend
import dev.edgekit.core.BundleFailure
import dev.edgekit.core.EngineFailure
import dev.edgekit.core.bundle.InstallState
import dev.edgekit.core.engine.ChosenEngine
import dev.edgekit.core.tasks.EngineOpener
import dev.edgekit.core.tasks.identity
import dev.edgekit.testing.FakeEngine
import dev.edgekit.testing.only
import dev.edgekit.testing.sampleBundle
import java.io.File
import kotlin.time.Duration.Companion.seconds
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.awaitCancellation
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.filterIsInstance
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.flow.flowOf
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder

class ModelHostTest {
    private val bundle = sampleBundle()
    private val engines = mutableListOf<FakeEngine>()
    private val choices = MemoryChoices()
    private val opened = EngineOpener { _, wanted, _ -> ChosenEngine(FakeEngine().also { engines += it }, wanted, null) }

    @get:Rule
    val folder = TemporaryFolder()

    private fun host(
        bundles: BundleSource = BundleSource { flowOf(InstallState.Copying(0, 1), InstallState.Ready(bundle)) },
        opener: EngineOpener = opened,
        mark: OpeningMark? = null,
    ) = ModelHost(bundles, opener, choices, CoroutineScope(SupervisorJob() + Dispatchers.Default), mark)

    private suspend inline fun <reified T : HostState> ModelHost.await(): T = withTimeout(10.seconds) { state.filterIsInstance<T>().first() }

    @Test
    fun `installs, opens and is ready`() = runBlocking {
        val host = host()
        host.start()
        assertEquals(bundle, host.await<HostState.Ready>().model.bundle)
    }

    /** A process that ended while the model opened, and what the system says of its end. */
    private fun markLeftBehind(wasClosed: Boolean?) = OpeningMark(File(folder.root, "opening")) { wasClosed }.apply { begin(bundle.identity) }

    @Test
    fun `a model that took the app with it is not opened again, unless its user asks for it`() = runBlocking<Unit> {
        for (unsaid in listOf(false, null)) {
            val before = engines.size
            val host = host(mark = markLeftBehind(unsaid))
            host.start()
            assertTrue(host.await<HostState.Failed>().failure is EndedWhileOpening)
            assertEquals(before, engines.size)
            host.start()
            host.await<HostState.Ready>()
        }
    }

    @Test
    fun `an app that was closed while its model opened opens it again`() = runBlocking<Unit> {
        val host = host(mark = markLeftBehind(wasClosed = true))
        host.start()
        host.await<HostState.Ready>()
    }

    @Test
    fun `the mark is of one model, is there while it opens, and goes whatever comes of it`() = runBlocking<Unit> {
        val file = File(folder.root, "opening")
        OpeningMark(file) { null }.begin("another model")
        val seen = mutableListOf<String>()
        val outcomes = ArrayDeque(listOf(EngineFailure.ModelCorrupt("bad"), null))
        val host = host(
            opener = { _, wanted, _ ->
                seen += file.readText()
                outcomes.removeFirst()?.let { throw it }
                ChosenEngine(FakeEngine(), wanted, null)
            },
            mark = OpeningMark(file) { null },
        )
        host.start()
        host.await<HostState.Failed>()
        assertFalse(file.exists())
        host.start()
        host.await<HostState.Ready>()
        assertFalse(file.exists())
        assertEquals(List(2) { bundle.identity }, seen)
    }

    @Test
    fun `a bundle that fails is told, and tried again`() = runBlocking<Unit> {
        val outcomes = ArrayDeque(listOf(InstallState.Failed(BundleFailure.NoSpace(2, 1)), InstallState.Ready(bundle)))
        val host = host(BundleSource { flowOf(outcomes.removeFirst()) })
        host.start()
        assertTrue(host.await<HostState.Failed>().failure is BundleFailure.NoSpace)
        host.start()
        host.await<HostState.Ready>()
    }

    @Test
    fun `an engine that fails is told`() = runBlocking {
        val host = host(opener = EngineOpener { _, _, _ -> throw EngineFailure.OutOfMemory("no memory") })
        host.start()
        assertTrue(host.await<HostState.Failed>().failure is EngineFailure.OutOfMemory)
    }

    @Test
    fun `a failure that nobody thought of is told as well`() = runBlocking<Unit> {
        val engines = host(opener = EngineOpener { _, _, _ -> throw IllegalStateException("odd") })
        engines.start()
        assertEquals("odd", engines.await<HostState.Failed>().failure.message)
        val bundles = host(BundleSource { flow { throw SecurityException("not yours") } })
        bundles.start()
        assertEquals("not yours", bundles.await<HostState.Failed>().failure.message)
    }

    @Test
    fun `a picked model is the next start's only once it is open`() = runBlocking<Unit> {
        val picked = BundleChoice.Picked("content://provider/1")
        var fails = true
        val host = host(opener = { _, wanted, _ -> if (fails) throw EngineFailure.ModelCorrupt("bad") else ChosenEngine(FakeEngine(), wanted, null) })
        host.start(picked)
        host.await<HostState.Failed>()
        assertEquals(picked, host.choice)
        assertEquals(BundleChoice.BuiltIn, choices.bundle)
        fails = false
        host.start()
        host.await<HostState.Ready>()
        assertEquals(picked, choices.bundle)
    }

    @Test
    fun `out of sight it gives the model's memory back, and opens it again when it is looked at`() = runBlocking {
        val host = host()
        host.start()
        host.await<HostState.Ready>()
        host.wake()
        host.rest()
        host.await<HostState.Installing>()
        withTimeout(10.seconds) { while (!engines.single().isClosed) delay(5) }
        host.wake()
        host.await<HostState.Ready>()
        assertEquals(2, engines.size)
    }

    @Test
    fun `another backend closes the engine and opens one anew`() = runBlocking {
        val host = host()
        host.start()
        val before = host.await<HostState.Ready>().model
        choices.backend = Backend.GPU
        host.start()
        val after = withTimeout(10.seconds) { host.models.first { it != null && it !== before } }
        assertEquals(Backend.GPU, after?.backend)
        assertTrue(engines.first().isClosed)
        assertFalse(engines.last().isClosed)
    }

    @Test
    fun `work with the engine ends before the engine closes`() = runBlocking {
        val host = host()
        host.start()
        val model = host.await<HostState.Ready>().model
        var closedBeforeEnd: Boolean? = null
        val work = model.scope.launch(start = CoroutineStart.UNDISPATCHED) {
            try {
                awaitCancellation()
            } finally {
                closedBeforeEnd = engines.single().isClosed
            }
        }
        host.lend { _, _ -> assertTrue(work.isCancelled) }
        assertEquals(false, closedBeforeEnd)
    }

    @Test
    fun `lends the bundle with no engine open, and is ready again afterwards`() = runBlocking {
        val host = host()
        host.start()
        host.await<HostState.Ready>()
        host.lend { lent, _ ->
            assertEquals(bundle, lent)
            assertTrue(host.state.value is HostState.Lent)
            assertTrue(engines.single().isClosed)
        }
        host.await<HostState.Ready>()
        assertEquals(2, engines.size)
    }

    @Test
    fun `is ready again when the borrower is cancelled`() = runBlocking<Unit> {
        val host = host()
        host.start()
        host.await<HostState.Ready>()
        val borrower = launch(Dispatchers.Default) { host.lend { _, _ -> awaitCancellation() } }
        host.await<HostState.Lent>()
        borrower.cancelAndJoin()
        host.await<HostState.Ready>()
    }
}
