// What generated Kotlin calls of com.google.android.play:ai-delivery; asset-delivery has the same under other names.
package com.google.android.play.core.aipacks

import android.content.Context

interface AiPackLocation {
    fun assetsPath(): String?
}

interface AiPackManager {
    fun getPackLocation(name: String): AiPackLocation?

    fun fetch(names: List<String>): Any
}

object AiPackManagerFactory {
    @JvmStatic
    external fun getInstance(context: Context): AiPackManager
}
