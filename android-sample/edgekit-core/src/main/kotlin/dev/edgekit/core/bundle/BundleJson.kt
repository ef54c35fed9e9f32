package dev.edgekit.core.bundle

import dev.edgekit.core.AnswerFormat
import dev.edgekit.core.BundleFailure
import dev.edgekit.core.InternalEdgekitApi
import dev.edgekit.core.Quality
import dev.edgekit.core.QualityCheck
import dev.edgekit.core.Sampling
import dev.edgekit.core.answers.Action

internal const val MANIFEST = "edgekit.json"
internal const val TASKS = "tasks.json"
internal const val ADAPTERS = "adapters"
internal const val ADAPTER_MANIFEST = "adapter.json"
internal const val NOTICE = "NOTICE"
internal const val MODEL_SUFFIX = ".litertlm"
internal const val SIDECAR_SUFFIX = ".tflite"

/** The task of a bundle that has no others. */
internal const val ONLY_TASK = "base"

private val MANIFEST_SCHEMAS = 1L..3L
private val TASKS_SCHEMAS = 2L..2L
private val ADAPTER_SCHEMAS = 1L..2L

private val DIGEST = Regex("[0-9a-f]{64}")
private val TASK_ID = Regex("[a-z0-9-]+")
private val PLAIN_NAME = Regex("""[^./\\\p{Cntrl}][^/\\\p{Cntrl}]{0,250}""")

/** Reads `edgekit.json`. Throws [BundleFailure.Unreadable], which names the key. */
@InternalEdgekitApi
public fun parseManifest(text: String): Manifest {
    val json = StrictObject.read(MANIFEST, text)
    json.checkSchema(MANIFEST_SCHEMAS)
    val model = bundleFile(json.at("model"), MODEL_SUFFIX)
    return Manifest(
        model = model,
        name = model.name.removeSuffix(MODEL_SUFFIX),
        recipe = json.at("recipe").text("name"),
        contextTokens = json.positive("kv_length"),
        sampling = sampling(json.at("sampler")),
        answerFormat = json.atOrNull("answer")?.let(::answerFormat),
        minimumRuntime = json.text("minimum_runtime"),
        licence = json.textOrNull("licence"),
        examples = json.texts("examples"),
        adapters = json.atOrNull("adapters")?.let { adapterInputs(it, json.at("architecture")) },
        suppressedTokens = json.idsOrNull("suppressed_tokens"),
        oneTurn = json.oneTurn(meantSince = MANIFEST_SCHEMAS.last),
        calling = json.atOrNull("calling")?.let(::calling),
        cache = json.atOrNull("graph")?.atOrNull("cache")?.let(::cache) ?: json.atOrNull("architecture")?.let(::wideCache),
        isStatic = json.atOrNull("graph")?.textOrNull("form") == "static",
    )
}

/** Reads `tasks.json`. Throws [BundleFailure.Unreadable], which names the key. */
@InternalEdgekitApi
public fun parseTasks(text: String): Offer {
    val json = StrictObject.read(TASKS, text)
    json.checkSchema(TASKS_SCHEMAS)
    val tasks = json.objects("tasks").map(::task)
    if (tasks.isEmpty()) json.wrong("tasks", "a list of at least one task")
    if (tasks.distinctBy { it.id }.size < tasks.size) json.wrong("tasks", "a list of tasks with different ids")
    return Offer(json.text("title"), tasks)
}

/** Reads `adapters/FOLDER/adapter.json`. Throws [BundleFailure.Unreadable], which names the key. */
internal fun parseAdapter(folder: String, text: String): AdapterManifest {
    val json = StrictObject.read("$ADAPTERS/$folder/$ADAPTER_MANIFEST", text)
    json.checkSchema(ADAPTER_SCHEMAS)
    val base = json.at("base")
    val source = json.at("source")
    return AdapterManifest(
        name = json.text("name"),
        sidecar = bundleFile(json.at("sidecar"), SIDECAR_SUFFIX),
        base = AdapterBase(base.text("name"), base.digest("model_sha256")),
        source = source.text("name"),
        trainedRank = source.positive("rank"),
        rank = json.positive("rank"),
        targets = json.names("targets"),
        sampling = sampling(json.at("sampler")),
        answerFormat = json.atOrNull("answer")?.let(::answerFormat),
        chatTemplate = json.textOrNull("chat_template"),
        licence = json.textOrNull("licence"),
        oneTurn = json.oneTurn(meantSince = ADAPTER_SCHEMAS.last),
    )
}

/** What is known of a bundle that brings no `tasks.json`. */
internal fun genericOffer(title: String, examples: List<String> = emptyList()) = Offer(
    title = title,
    tasks = listOf(
        Task(
            id = ONLY_TASK,
            adapter = null,
            title = title,
            description = null,
            systemPrompt = null,
            examples = examples,
            golden = emptyList(),
            actions = emptyList(),
            quality = null,
        ),
    ),
)

/** Whether a name can be that of a file or a folder, and of nothing above it. */
internal fun isPlainName(name: String): Boolean = PLAIN_NAME.matches(name)

private fun adapterInputs(json: StrictObject, architecture: StrictObject): AdapterInputs {
    val rank = json.positive("rank")
    val targets = json.names("targets")
    val (hidden, mlp) = listOf("hidden_size", "mlp_size").map { architecture.positive(it).toLong() }
    val (queries, keys) = listOf("query_heads", "kv_heads").map { architecture.positive(it).toLong() * architecture.positive("head_dim") }
    val widths = mapOf(
        "q_proj" to hidden + queries,
        "k_proj" to hidden + keys,
        "v_proj" to hidden + keys,
        "o_proj" to hidden + queries,
        "gate_proj" to hidden + mlp,
        "up_proj" to hidden + mlp,
        "down_proj" to hidden + mlp,
    )
    val width = targets.sumOf { widths[it] ?: json.wrong("targets", "of ${widths.keys.joinToString()}") }
    val bytes = Float.SIZE_BYTES * rank * architecture.positive("layers") * width
    return AdapterInputs(rank, targets, bundleFile(json.at("empty"), SIDECAR_SUFFIX), bytes)
}

private fun cache(json: StrictObject): Cache {
    val (token, ring) = listOf("token_bytes", "ring_bytes").map { key ->
        json.whole(key).also { if (it < 0) json.wrong(key, "a number of bytes") }
    }
    return Cache(token, ring, isNarrow = json.text("precision") != "float32")
}

/** Of a bundle that says nothing of it: keys and values of all layers in float32, which is the most that it can be. */
private fun wideCache(architecture: StrictObject): Cache? {
    val shape = listOf("layers", "kv_heads", "head_dim")
    if (!shape.all(architecture::has)) return null
    return Cache(shape.fold(2L * Float.SIZE_BYTES) { bytes, key -> bytes * architecture.positive(key) })
}

private fun StrictObject.checkSchema(known: LongRange) {
    val version = whole("schema_version")
    if (version > known.last) wrong("schema_version", "at most ${known.last}, the newest that this app knows: it is $version")
    if (version < known.first) wrong("schema_version", "at least ${known.first}: it is $version")
}

private fun bundleFile(json: StrictObject, suffix: String): BundleFile {
    val file = json.text("file")
    if (!isPlainName(file) || !file.endsWith(suffix)) json.wrong("file", "the name of a $suffix file")
    val size = json.whole("size").also { if (it < 1) json.wrong("size", "a positive number") }
    return BundleFile(file, size, json.digest("sha256"))
}

private fun StrictObject.digest(key: String): String =
    text(key).also { if (!DIGEST.matches(it)) wrong(key, "64 hexadecimal digits") }

private fun StrictObject.names(key: String): List<String> =
    texts(key).ifEmpty { wrong(key, "a list of at least one name") }

/** Before a schema, manifests said "many" without meaning it. */
private fun StrictObject.oneTurn(meantSince: Long): Boolean? = oneTurn().takeIf { it == true || whole("schema_version") >= meantSince }

private fun StrictObject.oneTurn(): Boolean? = when (textOrNull("turns")) {
    null -> null
    "one" -> true
    "many" -> false
    else -> wrong("turns", "one or many")
}

private fun task(json: StrictObject) = Task(
    id = json.text("id").also { if (!TASK_ID.matches(it)) json.wrong("id", "a name of a-z, 0-9 and -") },
    adapter = json.textOrNull("adapter")?.also { if (!isPlainName(it)) json.wrong("adapter", "the name of a folder") },
    title = json.text("title"),
    description = json.textOrNull("description"),
    systemPrompt = json.textOrNull("system_prompt"),
    examples = json.texts("examples"),
    golden = json.objects("golden").map { Golden(it.text("prompt"), it.text("answer")) },
    actions = json.objects("actions").map(::action),
    quality = json.atOrNull("quality")?.let(::quality),
    oneTurn = json.oneTurn(),
)

private fun sampling(json: StrictObject): Sampling = when (json.text("kind")) {
    "greedy" -> Sampling.Greedy
    "top_p" -> Sampling.TopP(
        temperature = json.number("temperature").toFloat(),
        topK = json.positive("top_k"),
        topP = json.number("top_p").toFloat(),
    )
    else -> json.wrong("kind", "greedy or top_p")
}

private fun answerFormat(json: StrictObject): AnswerFormat = when (json.text("kind")) {
    "json_schema" -> AnswerFormat.JsonSchema(json.source("schema"))
    "regex" -> AnswerFormat.Regex(json.text("regex"))
    else -> json.wrong("kind", "json_schema or regex")
}

private fun action(json: StrictObject): Action {
    val fields = json.at("when")
    return Action(fields.keys().associateWith(fields::text), json.text("intent"))
}

private fun quality(json: StrictObject) = Quality(
    passed = json.flag("passed"),
    checks = json.objects("checks").map { QualityCheck(it.text("name"), it.flag("passed"), it.text("summary")) },
)
