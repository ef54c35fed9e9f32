package dev.edgekit.sample

import android.os.Bundle
import androidx.activity.ComponentActivity
import androidx.activity.compose.setContent
import androidx.activity.enableEdgeToEdge
import dev.edgekit.sample.screens.EdgekitApp
import dev.edgekit.sample.screens.EdgekitTheme
import dev.edgekit.sample.screens.HasSources

class MainActivity : ComponentActivity() {
    override fun onCreate(savedInstanceState: Bundle?) {
        enableEdgeToEdge()
        super.onCreate(savedInstanceState)
        setContent { EdgekitTheme { EdgekitApp() } }
    }

    override fun onStart() {
        super.onStart()
        (application as HasSources).sources.host.wake()
    }
}
