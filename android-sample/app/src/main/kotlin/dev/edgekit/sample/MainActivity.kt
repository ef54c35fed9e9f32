package dev.edgekit.sample

import android.os.Bundle
import androidx.activity.ComponentActivity
import androidx.activity.compose.setContent
import androidx.activity.enableEdgeToEdge
import dev.edgekit.sample.screens.EdgekitApp
import dev.edgekit.sample.screens.EdgekitTheme

class MainActivity : ComponentActivity() {
    override fun onCreate(savedInstanceState: Bundle?) {
        enableEdgeToEdge()
        super.onCreate(savedInstanceState)
        setContent { EdgekitTheme { EdgekitApp() } }
    }
}
