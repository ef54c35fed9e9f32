package dev.edgekit.core.engine

import android.app.Application
import androidx.test.ext.junit.runners.AndroidJUnit4
import dev.edgekit.core.Backend
import dev.edgekit.core.EngineFailure
import dev.edgekit.testing.Demo
import java.io.File
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.map
import kotlinx.coroutines.runBlocking
import org.junit.After
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder
import org.junit.runner.RunWith
import org.robolectric.annotation.Config

private const val CANARY = "my screen is too dark"

/** There is no GPU here: a second engine on the CPU stands for one that works. */
@RunWith(AndroidJUnit4::class)
@Config(application = Application::class)
class BackendTrialsTest {
    @get:Rule
    val files = TemporaryFolder()

    private val opened = mutableListOf<Backend>()
    private val engines = mutableListOf<Engine>()
    private var open = 0

    @After
    fun closeEngines() = engines.forEach { it.close() }

    private fun trials(identity: String = "model 1.0") = BackendTrials(File(files.root, "trials"), identity)

    /** Opens the real engine on the CPU; [onGpu] makes of it what the GPU is to be. */
    private fun loader(onGpu: (Engine) -> Engine) = EngineLoader { settings ->
        opened += settings.backend
        val engine = Counted(Demo.loader.open(settings.copy(backend = Backend.CPU)))
        engines += engine
        if (settings.backend == Backend.GPU) onGpu(engine) else engine
    }

    private fun choose(loader: EngineLoader, trials: BackendTrials = trials()): ChosenEngine = runBlocking {
        chooseBackend(loader, EngineSettings(Demo.model, 512, Backend.GPU), CANARY, ConversationSettings(), trials)
    }

    @Test
    fun `a GPU that answers as the CPU is used, and not tried again`() {
        val loader = loader { it }
        val chosen = choose(loader)
        assertEquals(Backend.GPU, chosen.backend)
        assertNull(chosen.reason)
        assertEquals(listOf(Backend.CPU, Backend.GPU), opened)
        chosen.engine.close()
        choose(loader).engine.close()
        assertEquals(listOf(Backend.CPU, Backend.GPU, Backend.GPU), opened)
    }

    @Test
    fun `a GPU that answers differently is given up, and not tried again`() {
        val loader = loader { ShoutingEngine(it) }
        val chosen = choose(loader)
        assertEquals(Backend.CPU, chosen.backend)
        assertTrue("${chosen.reason}", "SCREEN" in chosen.reason.orEmpty())
        chosen.engine.close()
        val again = choose(loader)
        assertEquals(chosen.reason, again.reason)
        assertEquals(listOf(Backend.CPU, Backend.GPU, Backend.CPU, Backend.CPU), opened)
    }

    @Test
    fun `a GPU that does not start is given up`() {
        val chosen = choose(Demo.loader)
        engines += chosen.engine
        assertEquals(Backend.CPU, chosen.backend)
        assertTrue("${chosen.reason}", "only supports CPU" in chosen.reason.orEmpty())
        assertTrue(trials().verdict() is Verdict.Unfit)
    }

    @Test
    fun `a GPU that ended the process is given up at the next start`() {
        trials().begin()
        val chosen = choose(loader { it })
        assertEquals(Backend.CPU, chosen.backend)
        assertEquals(listOf(Backend.CPU), opened)
    }

    @Test
    fun `a later start on the GPU that ends the process is found out as well`() {
        val seen = mutableListOf<Verdict?>()
        choose(loader { it.also { seen += trials().verdict() } }).engine.close()
        choose(loader { it.also { seen += trials().verdict() } }).engine.close()
        assertTrue("$seen", seen.size == 2 && seen.all { it is Verdict.Unfit })
        assertEquals(Verdict.Same, trials().verdict())
    }

    @Test
    fun `an app that was swiped away while the GPU started tries the GPU again`() {
        val closed = BackendTrials(File(files.root, "trials"), "model 1.0") { true }
        closed.begin()
        assertNull(closed.verdict())
        closed.end(Verdict.Same)
        closed.begin()
        assertEquals(Verdict.Same, closed.verdict())
    }

    @Test
    fun `where the system does not tell how the app ended, the second time decides`() {
        val unknown = BackendTrials(File(files.root, "trials"), "model 1.0") { null }
        unknown.begin()
        assertNull(unknown.verdict())
        unknown.begin()
        assertTrue(unknown.verdict() is Verdict.Unfit)
        unknown.end(Verdict.Same)
        unknown.begin()
        assertEquals(Verdict.Same, unknown.verdict())
    }

    @Test
    fun `a trial that is broken off is as if it had not been`() {
        val loader = loader { throw InterruptedException() }
        assertThrows(InterruptedException::class.java) { choose(loader) }
        assertNull(trials().verdict())
    }

    @Test
    fun `each model and each version of the app has a trial of its own, and the user can ask for another`() {
        trials().end(Verdict.Unfit("slow\nand wrong"))
        assertEquals(Verdict.Unfit("slow\nand wrong"), trials().verdict())
        assertNull(trials("model 1.1").verdict())
        trials().forget()
        assertNull(trials().verdict())
    }

    @Test
    fun `a canary that the CPU cannot answer leaves the app on the CPU, untried`() {
        val settings = EngineSettings(Demo.model, 512, Backend.GPU)
        val tooLong = CANARY.repeat(300)
        val chosen = runBlocking { chooseBackend(loader { it }, settings, tooLong, ConversationSettings(), trials()) }
        assertEquals(Backend.CPU, chosen.backend)
        assertNull(trials().verdict())
        assertEquals(listOf(Backend.CPU, Backend.CPU), opened)
    }

    @Test
    fun `a model that the CPU does not open either fails`() {
        val settings = EngineSettings(File(files.root, "none"), 512)
        assertThrows(EngineFailure.ModelMissing::class.java) {
            runBlocking { chooseBackend(Demo.loader, settings, CANARY, ConversationSettings(), trials()) }
        }
        assertNull(trials().verdict())
    }

    /** Fails when two are open at a time. */
    private inner class Counted(private val engine: Engine) : Engine by engine {
        private var isOpen = true

        init {
            assertEquals("engines open", 1, ++open)
        }

        override fun close() {
            if (isOpen) open--
            isOpen = false
            engine.close()
        }
    }
}

/** An engine that computes something else. */
private class ShoutingEngine(private val engine: Engine) : Engine by engine {
    override fun converse(settings: ConversationSettings): Conversation {
        val conversation = engine.converse(settings)
        return object : Conversation by conversation {
            override fun send(text: String): Flow<Piece> = conversation.send(text).map { piece ->
                if (piece is Piece.Text) Piece.Text(piece.text.uppercase()) else piece
            }
        }
    }
}
