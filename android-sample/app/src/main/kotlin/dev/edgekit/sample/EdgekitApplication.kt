package dev.edgekit.sample

import android.app.Application
import dev.edgekit.core.Edgekit
import dev.edgekit.sample.screens.HasSources
import dev.edgekit.sample.screens.Sources
import dev.edgekit.sample.tasks.Choices
import dev.edgekit.sample.tasks.ModelHost
import dev.edgekit.sample.tasks.Opener
import dev.edgekit.sample.tasks.SharedPreferencesChoices
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.SupervisorJob

/** Puts the app together. */
open class EdgekitApplication : Application(), HasSources {
    override val sources: Sources by lazy { assembled({ bundle, options -> Edgekit.open(this, bundle, options) }) }

    /** The system is short of memory, and the app is out of sight: better without its model than ended. */
    override fun onTrimMemory(level: Int) {
        super.onTrimMemory(level)
        if (level >= TRIM_MEMORY_BACKGROUND) sources.host.rest()
    }

    protected fun assembled(
        opener: Opener,
        choices: Choices = SharedPreferencesChoices(getSharedPreferences("choices", MODE_PRIVATE)),
    ): Sources = Sources(ModelHost(opener, choices, CoroutineScope(SupervisorJob() + Dispatchers.Default)), choices)
}
