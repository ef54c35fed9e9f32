package dev.edgekit.sample.screens

import androidx.activity.ComponentActivity
import androidx.compose.ui.test.assertIsDisplayed
import androidx.compose.ui.test.junit4.v2.createAndroidComposeRule
import androidx.compose.ui.test.onNodeWithText
import androidx.compose.ui.test.performClick
import androidx.test.ext.junit.runners.AndroidJUnit4
import dev.edgekit.core.Backend
import dev.edgekit.core.BundleFailure
import dev.edgekit.core.EdgekitFailure
import dev.edgekit.core.EngineFailure
import dev.edgekit.core.OpenProgress
import dev.edgekit.sample.tasks.HostState
import org.junit.Assert.assertEquals
import org.junit.Rule
import org.junit.Test
import org.junit.runner.RunWith

/** Each failure in words, with what to do about it. */
@RunWith(AndroidJUnit4::class)
class StartScreenTest {
    @get:Rule
    val compose = createAndroidComposeRule<ComponentActivity>()

    private var retries = 0
    private val contexts = mutableListOf<Int?>()

    private fun show(state: HostState) = compose.setContent { StartScreen(state, StartActions(retry = { retries++ }, pick = {}, openInLittleMemory = { contexts += it })) }

    private fun assertExplained(failure: Exception, title: String, remedy: String) {
        show(HostState.Failed(failure))
        compose.onNodeWithText(title).assertIsDisplayed()
        compose.onNodeWithText(remedy, substring = true).assertIsDisplayed()
        compose.onNodeWithText("Try again").performClick()
        assertEquals(1, retries)
    }

    @Test
    fun `copying shows how far it is`() {
        show(HostState.Opening(OpenProgress.Copying(70_000_000, 280_000_000)))
        compose.onNodeWithText("70\u00a0MB of 280\u00a0MB").assertIsDisplayed()
    }

    @Test
    fun `starting the engine shows the phase`() {
        show(HostState.Opening(OpenProgress.Comparing))
        compose.onNodeWithText("Comparing the GPU’s answer with the CPU’s").assertIsDisplayed()
    }

    @Test
    fun `no bundle in the app`() =
        assertExplained(BundleFailure.Missing("edgekit.json"), "There is no model in this app", "edgekit package")

    @Test
    fun `a damaged bundle`() =
        assertExplained(BundleFailure.Corrupt("m.litertlm", "sha256 differs"), "The model is damaged", "install the app anew")

    @Test
    fun `a bundle of a newer edgekit`() =
        assertExplained(BundleFailure.Unreadable("edgekit.json", "schema 2"), "This app cannot read the bundle", "Update the app")

    @Test
    fun `a bundle that the app's maker has not signed`() = assertExplained(
        BundleFailure.Unsigned("the bundle: no edgekit.sig"),
        "This app’s maker has not signed the model",
        "only models that its maker vouches for",
    )

    @Test
    fun `no space, with figures`() =
        assertExplained(BundleFailure.NoSpace(280_000_000, 120_000_000), "Not enough storage space", "Free up 160\u00a0MB")

    @Test
    fun `the file is gone`() = assertExplained(EngineFailure.ModelMissing("m.litertlm"), "The model’s file is gone", "copy it anew")

    @Test
    fun `a file that is no model`() =
        assertExplained(EngineFailure.ModelCorrupt("not a LiteRT-LM file"), "The engine cannot open the model", "digest")

    @Test
    fun `a runtime that is too old`() =
        assertExplained(EngineFailure.RuntimeTooOld("0.18.1", "0.20.0"), "The model needs a newer engine", "needs LiteRT-LM 0.20.0")

    @Test
    fun `no memory`() = assertExplained(EngineFailure.OutOfMemory("mmap failed"), "Not enough memory", "Close some")

    @Test
    fun `too little memory, with figures, and ways to open it all the same`() {
        assertExplained(EdgekitFailure.NotEnoughMemory(900_000_000, 600_000_000, 1024), "Not enough memory", "needs 900\u00a0MB, and 600\u00a0MB are free")
        compose.onNodeWithText("Open with a context of 1,024 tokens").performClick()
        compose.onNodeWithText("Open it all the same").performClick()
        assertEquals(listOf(1024, null), contexts)
    }

    @Test
    fun `where no context fits none is offered`() {
        show(HostState.Failed(EdgekitFailure.NotEnoughMemory(900_000_000, 100_000_000, null)))
        compose.onNodeWithText("Open it all the same").assertIsDisplayed()
        compose.onNodeWithText("with a context", substring = true).assertDoesNotExist()
    }

    @Test
    fun `a model that took the app with it`() =
        assertExplained(EngineFailure.Died("the process ended"), "The app ended while it was opening this model", "too large for this phone")

    @Test
    fun `a backend that the phone does not have`() = assertExplained(
        EngineFailure.BackendUnavailable(Backend.GPU, "no OpenCL"),
        "The GPU cannot run the model",
        "run it on the CPU",
    )

    @Test
    fun `anything else, with the engine's own reason`() {
        show(HostState.Failed(EngineFailure.Other("INTERNAL: unexpected")))
        compose.onNodeWithText("INTERNAL: unexpected").assertIsDisplayed()
    }
}
