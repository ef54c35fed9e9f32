package dev.edgekit.core.tasks

import dev.edgekit.core.Backend
import dev.edgekit.core.bundle.AdapterInputs
import dev.edgekit.core.bundle.Bundle
import dev.edgekit.core.bundle.BundleFile
import dev.edgekit.core.engine.AdapterSupport
import dev.edgekit.core.engine.EngineSettings
import dev.edgekit.testing.FakeEngine
import dev.edgekit.testing.only
import dev.edgekit.testing.severalTasks
import java.io.File
import kotlinx.coroutines.runBlocking
import org.junit.Assert.assertEquals
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner

/** How the engine of a bundle with adapters is opened; the trial itself is in BackendTrialsTest. */
@RunWith(RobolectricTestRunner::class)
class EngineStarterTest {
    @get:Rule
    val folder = TemporaryFolder()

    private val engines = mutableListOf<FakeEngine>()
    private val opened = mutableListOf<EngineSettings>()
    private val trials by lazy { folder.newFolder() }
    private val bundle = severalTasks("mood", "topic").run {
        val empty = BundleFile("empty.lora.tflite", 16384, "ab".repeat(32))
        copy(manifest = manifest!!.copy(adapters = AdapterInputs(16, listOf("q_proj"), empty, bytes = 1000)))
    }

    private fun starter(bundle: Bundle = this.bundle) = EngineStarter(
        loader = { settings -> FakeEngine().also { opened += settings; engines += it } },
        bundle = bundle,
        cache = folder.root,
        trials = trials,
        appVersion = "1",
    )

    private fun open(backend: Backend) = runBlocking { starter().start(backend) }

    @Test
    fun `the engine is told what the model takes of adapters`() {
        open(Backend.CPU)
        assertEquals(listOf(AdapterSupport(16, File("empty.lora.tflite"), 1000)), opened.map { it.adapters })
    }

    @Test
    fun `the engine is told what the manifest suppresses in formats`() {
        val bundle = bundle.run { copy(manifest = manifest!!.copy(suppressedTokens = listOf(1, 238))) }
        runBlocking { starter(bundle).start(Backend.CPU) }
        open(Backend.CPU)
        assertEquals(listOf(listOf(1, 238), null), opened.map { it.suppressedInFormats })
    }

    @Test
    fun `a GPU is tried with an adapter, and only once`() {
        assertEquals(Backend.GPU, open(Backend.GPU).backend)
        assertEquals(listOf("mood.lora.tflite", "mood.lora.tflite"), engines.flatMap { it.conversations }.map { it.adapter?.name })
        assertEquals(listOf("Tell the mood.", "Tell the mood."), engines.flatMap { it.conversations }.map { it.systemPrompt })
        open(Backend.GPU)
        assertEquals(listOf(Backend.CPU, Backend.GPU, Backend.GPU), opened.map { it.backend })
        assertEquals(2, engines.sumOf { it.conversations.size })
        starter().forgetTrial()
        open(Backend.GPU)
        assertEquals(4, engines.sumOf { it.conversations.size })
    }
}
