package dev.edgekit.sample

import android.content.Intent
import android.os.Bundle
import androidx.activity.ComponentActivity
import androidx.activity.compose.setContent
import androidx.activity.enableEdgeToEdge
import androidx.activity.viewModels
import dev.edgekit.sample.screens.EdgekitApp
import dev.edgekit.sample.screens.EdgekitTheme
import dev.edgekit.sample.screens.HasSources
import dev.edgekit.sample.screens.HostViewModel
import dev.edgekit.sample.screens.ViewModels

class MainActivity : ComponentActivity() {
    private val viewModel: HostViewModel by viewModels { ViewModels }

    override fun onCreate(savedInstanceState: Bundle?) {
        enableEdgeToEdge()
        super.onCreate(savedInstanceState)
        // A screen that is drawn anew was given its intent before.
        if (savedInstanceState == null) take(intent)
        setContent { EdgekitTheme { EdgekitApp(viewModel) } }
    }

    override fun onNewIntent(intent: Intent) {
        super.onNewIntent(intent)
        take(intent)
    }

    override fun onStart() {
        super.onStart()
        (application as HasSources).sources.host.wake()
    }

    private fun take(intent: Intent) {
        incomingOf(intent)?.let(viewModel::take)
    }
}
