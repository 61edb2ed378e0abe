package dev.graft.peft;

import dev.graft.formats.FormatException;
import dev.graft.models.Base;
import dev.graft.models.sites.Embedding;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Site;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * An embedding and its tied head. PEFT's {@code ensure_weight_tying} keeps them equal while one of them is trained and saved whole. Files contain
 * both.
 */
record TiedHead(Embedding embedding, Linear head) {
    /** The names that PEFT knows such modules by. */
    private static final Set<String> NAMES = Set.of("embed_tokens", "lm_head");

    /** Returns the tied head of a base for an adapter's configuration, or null if it ties none. */
    static @Nullable TiedHead of(Base base, AdapterConfig config) {
        Linear head = base.head().output();
        if (!config.method().tiesEmbeddings()
                || head == null
                || config.modulesToSave().stream().noneMatch(TiedHead::isNamed)) {
            return null;
        }
        for (Site site : base.sites()) {
            if (site instanceof Embedding embedding
                    && embedding.input()
                    && embedding.weight().equals(head.weight())) {
                return new TiedHead(embedding, head);
            }
        }
        return null;
    }

    private static boolean isNamed(String module) {
        return NAMES.contains(module.substring(module.lastIndexOf('.') + 1));
    }

    /** Returns the configuration of a file, which contains both in any case. */
    AdapterConfig both(AdapterConfig config) {
        List<String> modules = new ArrayList<>(config.modulesToSave());
        for (String name : List.of(embedding.name(), head.name())) {
            if (!config.savesWhole(name)) {
                modules.add(name);
            }
        }
        return config.withModulesToSave(modules);
    }

    /** Refuses a file in which they differ. */
    void requireEqual(AdapterContent adapter, Path file) {
        Tensor one = adapter.value(embedding.name() + ".weight");
        Tensor other = adapter.value(head.name() + ".weight");
        if (!one.detach().equal(other.detach())) {
            throw new FormatException(
                    file,
                    "has other values for " + head.name() + " than for " + embedding.name()
                            + ", but ensure_weight_tying in "
                            + FolderLayout.CONFIG
                            + " says that they are equal; set it to false and name both in modules_to_save, or save"
                            + " the adapter again");
        }
    }
}
