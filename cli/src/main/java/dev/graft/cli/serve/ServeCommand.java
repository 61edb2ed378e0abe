package dev.graft.cli.serve;

import dev.graft.cli.adapters.EncryptionKeyOption;
import dev.graft.cli.model.ComputeOptions;
import dev.graft.cli.model.HeadOptions;
import dev.graft.formats.InputException;
import dev.graft.peft.store.Store;
import dev.graft.run.config.NumericsChoice;
import dev.graft.serve.adapters.AdapterStore;
import dev.graft.serve.adapters.FolderStore;
import dev.graft.serve.adapters.VersionedStore;
import dev.graft.serve.adapters.VirtualAdapter;
import dev.graft.serve.engine.EncoderEngine;
import dev.graft.serve.engine.Engine;
import dev.graft.serve.http.ApiKeys;
import dev.graft.serve.http.AuditLog;
import dev.graft.serve.http.Limits;
import dev.graft.serve.http.ServerOptions;
import dev.graft.serve.http.Tls;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

@Command(
        name = "serve",
        description = "Serve a base and many adapters over HTTP, as OpenAI's clients speak it.",
        mixinStandardHelpOptions = true,
        footer = {
            "",
            "A request's \"model\" is the name of an adapter's folder, of the base, or BASE:ADAPTER. Adapters are"
                    + " loaded",
            "when they are first asked for; texts with different adapters are written together, each as if it were"
                    + " alone.",
            "",
            "Examples:",
            "  graft serve smollm2 --adapters runs/adapters",
            "  curl http://127.0.0.1:8000/v1/chat/completions -H 'Content-Type: application/json' \\",
            "    -d '{\"model\": \"smollm2\", \"messages\": [{\"role\": \"user\", \"content\": \"Hi\"}]}'",
            "  graft serve smollm2 --adapters runs/adapters --keys keys.txt --add-key alice",
            "  graft serve smollm2 --adapters runs/adapters --host 0.0.0.0 --keys keys.txt",
            "  graft serve smollm2 --adapters runs/adapters --compose both=sql:0.7,chat:0.3",
            "  graft serve minilm --task feature_extraction"
        })
public final class ServeCommand implements Runnable {

    @Parameters(
            index = "0",
            paramLabel = "MODEL",
            description = {
                "The base: a folder or file, a short name of `graft pull --list`, hf:OWNER/NAME,",
                "maven:GROUP:NAME:VERSION or pypi:NAME==VERSION."
            })
    @SuppressWarnings("NullAway.Init")
    private String model;

    @Option(
            names = {"-a", "--adapters"},
            paramLabel = "DIR",
            description =
                    "A folder with a folder for each adapter, or a store that `graft adapters` keeps (default: the"
                            + " base alone).")
    private @Nullable Path adapters;

    @Option(
            names = "--pack",
            negatable = true,
            defaultValue = "true",
            fallbackValue = "true",
            description = {
                "Keep whole matrices twice, once in the order in which products read them:",
                "faster, takes their memory again (default: yes)."
            })
    private boolean pack;

    @Option(
            names = "--adapter-memory",
            defaultValue = "4096",
            paramLabel = "MIB",
            description = {
                "Memory for adapters; those that were used longest ago leave it, what is made of others later, and are",
                "loaded again when they are asked for (default: ${DEFAULT-VALUE} MiB)."
            })
    private int adapterMemory;

    @Option(
            names = "--pin",
            paramLabel = "NAME",
            description = "Load this adapter at the start and keep it in memory; may be given several times.")
    private List<String> pins = new ArrayList<>();

    @Option(
            names = "--compose",
            paramLabel = "NAME=ADAPTER:WEIGHT,…",
            description = {
                "Serve a weighted sum of adapters under this name, made in memory; may be given several times.",
                "Other combinations: POST /v1/load_lora_adapter."
            })
    private Map<String, String> sums = new LinkedHashMap<>();

    @Mixin
    private EncryptionKeyOption key = new EncryptionKeyOption();

    @Option(
            names = "--name",
            paramLabel = "NAME",
            description = "Name of the base for clients (default: the last part of MODEL).")
    private @Nullable String name;

    @Option(
            names = "--host",
            defaultValue = "127.0.0.1",
            paramLabel = "ADDRESS",
            description =
                    "Where to listen (default: ${DEFAULT-VALUE}). Addresses that other machines reach need --keys.")
    @SuppressWarnings("NullAway.Init")
    private String host;

    @Option(
            names = "--port",
            defaultValue = "8000",
            paramLabel = "N",
            description = "The port (default: ${DEFAULT-VALUE}; 0 takes a free one).")
    private int port;

    @Option(
            names = "--keys",
            paramLabel = "FILE",
            description = "Who may use it: a line NAME infer|admin SHA256 [REQUESTS-A-MINUTE] for each key.")
    private @Nullable Path keys;

    @Option(
            names = "--add-key",
            paramLabel = "NAME",
            description = "Make a key, print it, write its hash into the file of --keys, and end.")
    private @Nullable String addKey;

    @Option(names = "--admin", description = "Lets the key of --add-key load and unload adapters too.")
    private boolean admin;

    @Option(
            names = "--rows",
            defaultValue = "16",
            paramLabel = "N",
            description = "How many texts are written at once, a multiple of 8 (default: ${DEFAULT-VALUE}).")
    private int rows;

    @Option(
            names = "--queue",
            paramLabel = "N",
            description = {
                "How many more texts may wait; further ones are refused with 429 (default: 256,",
                "or 4096 for a base that reads whole texts)."
            })
    private @Nullable Integer queue;

    @Option(
            names = "--prompt-cache",
            defaultValue = "512",
            paramLabel = "MIB",
            description = "Memory for the beginnings of earlier prompts (default: ${DEFAULT-VALUE} MiB).")
    private int promptCache;

    @Option(
            names = "--max-new-tokens",
            defaultValue = "4096",
            paramLabel = "N",
            description = "The most that a request may ask for (default: ${DEFAULT-VALUE}).")
    private int maxNewTokens;

    @Option(
            names = "--timeout",
            defaultValue = "600",
            paramLabel = "SECONDS",
            description = "When a request is given up (default: ${DEFAULT-VALUE}).")
    private int timeout;

    @Option(
            names = "--tls-cert",
            paramLabel = "FILE",
            description = "Serve HTTPS with this chain of certificates (PEM).")
    private @Nullable Path tlsCertificate;

    @Option(
            names = "--tls-key",
            paramLabel = "FILE",
            description = "The certificate's key (PEM, PKCS #8, not encrypted).")
    private @Nullable Path tlsKey;

    @Option(
            names = "--audit",
            paramLabel = "FILE",
            description = "Write down who asked for what, a line of JSON a request, without what was said.")
    private @Nullable Path audit;

    @Mixin
    private HeadOptions head = new HeadOptions();

    @Mixin
    private ComputeOptions compute = new ComputeOptions(NumericsChoice.AUTO);

    @Spec
    @SuppressWarnings("NullAway.Init")
    private CommandSpec spec;

    @Override
    public void run() {
        PrintWriter out = spec.commandLine().getOut();
        String newKey = addKey;
        if (newKey != null) {
            if (keys == null) {
                throw new InputException("--add-key needs --keys FILE, where the key's hash goes");
            }
            out.println(ApiKeys.add(keys, newKey, admin ? ApiKeys.Right.ADMIN : ApiKeys.Right.INFER));
            return;
        }
        if (admin) {
            throw new InputException("--admin belongs to --add-key");
        }
        if (timeout < 1 || maxNewTokens < 1 || promptCache < 0 || adapterMemory < 1 || port < 0 || port > 65535) {
            throw new InputException(
                    "--timeout, --max-new-tokens, --adapter-memory, --prompt-cache and --port are " + timeout + ", "
                            + maxNewTokens + ", " + adapterMemory + ", " + promptCache + " and " + port
                            + ": expected at least 1, 1, 1 and 0, and a port");
        }
        Limits limits = Limits.DEFAULT.withMaxNewTokens(maxNewTokens).withTimeout(Duration.ofSeconds(timeout));
        if (tlsCertificate == null != (tlsKey == null)) {
            throw new InputException("--tls-cert and --tls-key belong together");
        }
        Tls tls = tlsCertificate == null || tlsKey == null ? null : new Tls(tlsCertificate, tlsKey);
        ServerOptions server = ServerOptions.DEFAULT.with(settings -> settings.host(host)
                .port(port)
                .keys(keys == null ? null : ApiKeys.read(keys))
                .limits(limits)
                .tls(tls)
                .audit(audit == null ? null : new AuditLog(audit)));
        Engine.Options engine = Engine.Options.DEFAULT.with(settings -> settings.maxSequences(rows)
                .maxWaiting(queue == null ? Engine.Options.DEFAULT.maxWaiting() : queue)
                .promptCacheBytes((long) promptCache << 20));
        EncoderEngine.Options usualEncoder = EncoderEngine.Options.DEFAULT;
        EncoderEngine.Options encoder = queue == null ? usualEncoder : usualEncoder.withMaxWaiting(queue);
        new ServeRun(
                        model,
                        name,
                        adapters == null ? AdapterStore.NONE : store(adapters),
                        (long) adapterMemory << 20,
                        sums(),
                        pins,
                        head,
                        compute,
                        engine,
                        encoder,
                        pack,
                        server,
                        out,
                        spec.commandLine().getErr())
                .run();
    }

    private Map<String, VirtualAdapter> sums() {
        Map<String, VirtualAdapter> made = new LinkedHashMap<>();
        sums.forEach((own, parts) -> made.put(own, VirtualAdapter.sum(weights(own, parts))));
        return made;
    }

    private static Map<String, Double> weights(String own, String parts) {
        Map<String, Double> weights = new LinkedHashMap<>();
        for (String part : parts.split(",", -1)) {
            int colon = part.lastIndexOf(':');
            try {
                String adapter = part.substring(0, Math.max(colon, 0));
                Double weight = Double.valueOf(part.substring(colon + 1));
                if (!adapter.isEmpty() && weights.put(adapter, weight) == null) {
                    continue;
                }
            } catch (NumberFormatException none) {
                // Said below.
            }
            throw new InputException("--compose " + own + ": \"" + part
                    + "\" is no adapter with its weight, or one that was named before; expected such as"
                    + " sql:0.7,chat:0.3");
        }
        return weights;
    }

    private AdapterStore store(Path folder) {
        if (!Files.isRegularFile(folder.resolve("store.json"))) {
            return new FolderStore(folder);
        }
        Store store = Store.open(folder, key.encryption());
        store.damagedNames()
                .forEach(damage -> spec.commandLine().getErr().println("warning: a name is not served: " + damage));
        return new VersionedStore(store);
    }
}
