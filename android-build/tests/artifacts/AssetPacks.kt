// What generated Kotlin calls of com.google.android.play:asset-delivery; see LiteRtLm.kt.
package com.google.android.play.core.assetpacks

import android.content.Context

interface AssetPackLocation {
    fun assetsPath(): String?
}

interface AssetPackManager {
    fun getPackLocation(name: String): AssetPackLocation?

    fun fetch(names: List<String>): Any
}

object AssetPackManagerFactory {
    @JvmStatic
    fun getInstance(context: Context): AssetPackManager = TODO("$context")
}
