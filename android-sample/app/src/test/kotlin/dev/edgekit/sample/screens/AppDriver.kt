package dev.edgekit.sample.screens

import androidx.annotation.StringRes
import androidx.compose.ui.test.SemanticsMatcher
import androidx.compose.ui.test.hasAnyAncestor
import androidx.compose.ui.test.hasClickAction
import androidx.compose.ui.test.hasContentDescription
import androidx.compose.ui.test.hasTestTag
import androidx.compose.ui.test.hasText
import androidx.compose.ui.test.junit4.ComposeTestRule
import androidx.compose.ui.test.onNodeWithTag
import androidx.compose.ui.test.performClick
import androidx.compose.ui.test.performTextInput
import androidx.test.core.app.ApplicationProvider
import dev.edgekit.sample.R

/** The app's user: finds things by what is written on them, in the language of the phone. */
class AppDriver(private val compose: ComposeTestRule) {
    fun text(@StringRes id: Int, vararg arguments: Any): String =
        ApplicationProvider.getApplicationContext<AppUnderTest>().resources.getString(id, *arguments)

    fun until(condition: () -> Boolean) = compose.waitUntil(TIMEOUT_MS, condition)

    fun await(matcher: SemanticsMatcher) = until { compose.onAllNodes(matcher).fetchSemanticsNodes().isNotEmpty() }

    fun awaitText(text: String) = await(hasText(text, substring = true))

    fun tap(text: String) = compose.onNode(hasText(text) and hasClickAction()).performClick()

    fun tapIcon(@StringRes id: Int) = compose.onNode(hasContentDescription(text(id)) and hasClickAction()).performClick()

    fun say(prompt: String) {
        compose.onNodeWithTag("prompt").performTextInput(prompt)
        tapIcon(R.string.send)
    }

    /** Opens a screen from the menu of the task screen. */
    fun open(destination: Destination) {
        tapIcon(R.string.more)
        tap(text(destination.title))
    }

    /** Waits for a card with these lines. */
    fun awaitCard(vararg lines: Pair<String, String>) = lines.forEach { (name, value) ->
        await(hasText(name) and hasText(value) and hasAnyAncestor(hasTestTag("answer card")))
    }

    private companion object {
        /** Of what never comes: a busy machine takes its time. */
        const val TIMEOUT_MS = 120_000L
    }
}
