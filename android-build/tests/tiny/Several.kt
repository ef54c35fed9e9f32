package tiny

import android.content.Context
import com.example.models.settingsnavigator.SettingsNavigator
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.runBlocking
import java.io.File

/** What an app does with one model and several adapters: each conversation leaves some behind in the engine. */
class App {
    fun run(context: Context): String = runBlocking {
        SettingsNavigator.open(context).use { model ->
            val (setting, mood) = coroutineScope {
                val one = async { model.base.ask("my screen is too dark").getOrThrow().setting }
                val other = async { model.sentiment.ask("I love the keyboard").getOrThrow().sentiment }
                one.await() to other.await()
            }
            check(setting == SettingsNavigator.Base.Setting.BRIGHTNESS) { "$setting" }
            check(mood == SettingsNavigator.Sentiment.SentimentValue.POSITIVE) { "$mood" }

            suspend fun ask(times: Int) = repeat(times) {
                model.sentiment.ask("I love the keyboard").getOrThrow()
                model.base.ask("my screen is too dark").getOrThrow()
            }
            ask(10)
            val before = resident()
            // Each leaves a sidecar of 1.5 MB; the engine is opened anew before it is 200 MB.
            ask(150)
            val grown = (resident() - before) shr 20
            check(grown < 300) { "grew by $grown MiB in 300 conversations" }
            "grown by $grown MiB"
        }
    }

    /** Bytes of this process in memory. */
    private fun resident() =
        File("/proc/self/statm").readText().split(' ')[1].toLong() * 4096
}
