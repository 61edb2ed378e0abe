package dev.graft.cli.inspect;

import dev.graft.cli.model.ComputeOptions;
import dev.graft.cli.model.HeadOptions;
import dev.graft.cli.terminal.ConsoleListener;
import dev.graft.hub.Hub;
import dev.graft.models.Base;
import dev.graft.peft.Adapter;
import dev.graft.peft.methods.lora.LoraConfig;
import dev.graft.run.config.ConfigReader;
import dev.graft.run.config.RunConfig;
import dev.graft.run.inspect.TargetChoice;
import dev.graft.run.methods.MethodFactory;
import dev.graft.run.model.AdapterHeader;
import dev.graft.run.model.LoadedModel;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Loads what is needed for a view and no more. */
record Inspection(
        @Nullable String name, List<String> adapterNames, HeadOptions head, ComputeOptions compute, PrintWriter err) {

    private LoadedModel load(List<String> adapters) {
        if (name == null) {
            throw new IllegalStateException("the command asks for a model");
        }
        return LoadedModel.of(name, adapters, head, compute, new ConsoleListener(err));
    }

    View tokens(String text) {
        return TokenView.of(load(List.of()).base(), text);
    }

    View template(String file) {
        return TemplateView.of(load(List.of()), file);
    }

    View model(@Nullable Integer rank) {
        Base base = load(List.of()).base();
        int r = rank == null ? LoraConfig.DEFAULT.r() : rank;
        return new ModelView(base, TargetChoice.all(base, r), r);
    }

    View plan(String method, RunConfig.Compat compat, Map<String, String> options) {
        MethodFactory.named(method);
        Map<String, Object> read = ConfigReader.methodOptions(method, compat, options, err::println);
        Base base = load(List.of()).base();
        return new PlanView(Adapter.create(base, MethodFactory.of(method, read, compat, base), 0));
    }

    /** The folders' facts, and with a model what they are on it. */
    View adapters() {
        List<AdapterView.AdapterSummary> views = new ArrayList<>();
        List<Adapter> loaded = name == null ? List.of() : load(adapterNames).adapters();
        for (int i = 0; i < adapterNames.size(); i++) {
            views.add(AdapterView.AdapterSummary.of(
                    AdapterHeader.folder(adapterNames.get(i), new Hub()), loaded.isEmpty() ? null : loaded.get(i)));
        }
        return new AdapterView(views);
    }
}
