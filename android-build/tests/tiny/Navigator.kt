package tiny

import android.content.Context
import com.example.models.settingsnavigator.SettingsNavigator
import com.example.models.settingsnavigator.SettingsNavigator.Action
import com.example.models.settingsnavigator.SettingsNavigator.Screen
import com.example.models.settingsnavigator.SettingsNavigator.Setting
import dev.edgekit.core.EdgekitFailure
import dev.edgekit.core.EngineFailure
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking

/** What an app does with a model whose answers have a schema. */
class App {
    fun run(context: Context): String = runBlocking {
        val said = StringBuilder()
        val model = SettingsNavigator.open(context)
        model.use {
            val dark = model.ask("my screen is too dark").getOrThrow()
            check(dark == SettingsNavigator.Answer(Screen.DISPLAY, Setting.BRIGHTNESS, Action.INCREASE)) { "$dark" }
            said.append("typed ")

            val parts = model.stream("turn off wifi please").toList()
            check(parts.first().screen == null && parts.last().answer?.setting == Setting.WIFI) { "$parts" }
            check(parts.any { it.screen != null && it.setting == null }) { "no field came before the others: $parts" }
            check(parts.count { it.answer != null } == 1) { "$parts" }
            said.append("streamed ")

            // The engine would end the process at a prompt that passes its context.
            val long = model.ask("dark ".repeat(9000)).exceptionOrNull()
            check(long is EngineFailure.PromptTooLong) { "$long" }
            said.append("long-refused ")

            // It answers one at a time, whoever asks.
            val questions = List(4) { if (it % 2 == 0) "my screen is too dark" else "turn off wifi please" }
            val answers = coroutineScope { questions.map { async { model.ask(it).getOrThrow().setting } }.awaitAll() }
            check(answers == List(4) { if (it % 2 == 0) Setting.BRIGHTNESS else Setting.WIFI }) { "$answers" }
            said.append("together ")

            // Whoever stops listening stops the model, which answers the next question.
            model.stream("my screen is too dark").first()
            check(model.ask("turn off wifi please").getOrThrow().action == Action.DISABLE)
            said.append("stopped ")

            // Closed in the middle of an answer, that fails, and nothing else.
            val cut = async { model.ask("my screen is too dark") }
            launch { delay(5); model.close() }
            val ended = cut.await().exceptionOrNull()
            check(ended == null || ended is EdgekitFailure.Closed) { "$ended" }
        }
        check(model.ask("my screen is too dark").exceptionOrNull() is EdgekitFailure.Closed)
        said.append("closed")
        said.toString()
    }
}
