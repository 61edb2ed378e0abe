package dev.graft.cli.serve;

import dev.graft.cli.model.ComputeOptions;
import dev.graft.cli.model.HeadOptions;
import dev.graft.cli.terminal.ConsoleListener;
import dev.graft.cli.terminal.Interruption;
import dev.graft.formats.InputException;
import dev.graft.models.Task;
import dev.graft.models.chat.Chat;
import dev.graft.models.chat.MissingTemplateException;
import dev.graft.peft.store.UnknownAdapterException;
import dev.graft.run.model.LoadedModel;
import dev.graft.serve.adapters.AdapterStore;
import dev.graft.serve.adapters.Adapters;
import dev.graft.serve.adapters.VirtualAdapter;
import dev.graft.serve.engine.EncoderEngine;
import dev.graft.serve.engine.Engine;
import dev.graft.serve.http.Metrics;
import dev.graft.serve.http.Server;
import dev.graft.serve.http.ServerOptions;
import dev.graft.tensor.BackgroundThread;
import java.io.IOException;
import java.io.PrintWriter;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** One run of {@code graft serve}, until it is interrupted. */
record ServeRun(
        String model,
        @Nullable String name,
        AdapterStore store,
        long adapterMemory,
        Map<String, VirtualAdapter> virtual,
        List<String> pins,
        HeadOptions head,
        ComputeOptions compute,
        Engine.Options engine,
        EncoderEngine.Options encoder,
        boolean pack,
        ServerOptions options,
        PrintWriter out,
        PrintWriter err) {

    void run() {
        requireAdapters();
        requirePort();
        LoadedModel loaded = BackgroundThread.run(this::load);
        Adapters served = new Adapters(loaded.base(), baseName(), store, adapterMemory);
        if (store.names().contains(served.baseName())) {
            err.println("  warning: an adapter is called " + served.baseName()
                    + " as the base is, so that name means the base; ask for"
                    + " the adapter as " + served.baseName() + ":" + served.baseName()
                    + ", or give the base another name by --name");
        }
        virtual.forEach(served::add);
        pins.forEach(served::pin);
        fingerprint(served);
        Metrics metrics = new Metrics();
        try {
            if (loaded.base().task() == Task.CAUSAL_LM) {
                try (Engine texts = new Engine(loaded.base(), loaded.base().tokenizer(), engine, metrics);
                        Server server = Server.forGeneration(texts, served, chat(loaded), metrics, options)) {
                    wait(served, server);
                }
            } else {
                try (EncoderEngine texts = new EncoderEngine(loaded.base(), encoder, metrics);
                        Server server = Server.forEncoder(texts, served, metrics, options)) {
                    wait(served, server);
                }
            }
        } catch (IOException unavailable) {
            throw cannotListen(unavailable);
        } catch (InterruptedException stop) {
            Thread.currentThread().interrupt();
        }
    }

    /** Requires the named adapters before the base is loaded, so that no base is loaded in vain. */
    private void requireAdapters() {
        pins.stream().filter(pin -> !virtual.containsKey(pin)).forEach(store::find);
        virtual.values().forEach(made -> made.weights().keySet().forEach(store::find));
    }

    /** Requires a free port before the base is loaded, so that no base is loaded in vain. */
    private void requirePort() {
        try (ServerSocket trial = new ServerSocket()) {
            trial.setReuseAddress(true);
            trial.bind(new InetSocketAddress(options.host(), options.port()));
        } catch (IOException unavailable) {
            throw cannotListen(unavailable);
        }
    }

    private InputException cannotListen(IOException why) {
        return new InputException(
                "can't listen at " + options.host() + ":" + options.port() + ": " + why.getMessage()
                        + "; choose another --port, or 0 for any",
                why);
    }

    private LoadedModel load() {
        LoadedModel loaded = LoadedModel.under(model, folders(), head, compute, new ConsoleListener(err));
        if (pack) {
            loaded.base().pack();
        }
        return loaded;
    }

    /** The folders of the adapters. An alias of a removed adapter has none; a request for it fails with a message. */
    private List<Path> folders() {
        List<Path> folders = new ArrayList<>();
        for (String adapter : store.names()) {
            try {
                Path folder = store.folder(adapter);
                if (folder != null) {
                    folders.add(folder);
                }
            } catch (UnknownAdapterException gone) {
                err.println("  warning: " + gone.getMessage());
            }
        }
        return folders;
    }

    /**
     * Computes the base's fingerprint, which the server compares with the adapters'. Otherwise the first request for an
     * adapter waits while the whole base is read.
     */
    private static void fingerprint(Adapters served) {
        if (!served.names().isEmpty()) {
            Thread reading = new Thread(served.base()::fingerprint, "graft-fingerprint");
            reading.setDaemon(true);
            reading.start();
        }
    }

    private void wait(Adapters served, Server server) throws InterruptedException {
        err.println("  adapters: " + (served.names().isEmpty() ? "none" : String.join(", ", served.names())));
        err.println("  stop with Ctrl-C");
        err.flush();
        out.println("Serving " + served.baseName() + " at " + server.address());
        out.flush();
        while (!Interruption.requested()) {
            Thread.sleep(100);
        }
        err.println("Finishing what is being answered");
        err.flush();
    }

    /** The name's last part, without a version or an ending. */
    private String baseName() {
        if (name != null) {
            return name;
        }
        String last =
                model.replaceAll("[/\\\\]+$", "").replaceAll(".*[/\\\\:]", "").replaceAll("(==|@).*", "");
        return last.isEmpty() ? "base" : last;
    }

    private @Nullable Chat chat(LoadedModel loaded) {
        try {
            return loaded.chat();
        } catch (MissingTemplateException none) {
            err.println("  no chat template, so no /v1/chat/completions: " + none.getMessage());
            return null;
        }
    }
}
