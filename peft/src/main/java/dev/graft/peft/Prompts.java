package dev.graft.peft;

import dev.graft.formats.InputException;
import dev.graft.models.sites.PassView;
import dev.graft.models.sites.PromptTargets;
import dev.graft.models.sites.Site;
import dev.graft.models.sites.SoftPrompt;
import dev.graft.models.sites.Stream;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/** The prompt rows of a selection, before the token embeddings or at the entrance of the first layer. */
final class Prompts {
    private Prompts() {}

    static @Nullable SoftPrompt of(List<RowGroup> groups, Site site, long batch, PassView pass) {
        List<@Nullable Tensor> parts = new ArrayList<>();
        long longest = 0;
        Tensor any = null;
        for (RowGroup group : groups) {
            List<Tensor> found = group.stack().effects(site, Effect.Prompt.class).stream()
                    .map(effect -> effect.rows().apply(pass))
                    .toList();
            Tensor part = found.isEmpty()
                    ? null
                    : found.size() == 1 ? found.get(0) : Ops.cat(0, found.toArray(Tensor[]::new));
            parts.add(part);
            if (part != null) {
                any = part;
                longest = Math.max(longest, part.size(0));
            }
        }
        if (any == null || longest == 0) {
            return null;
        }
        Tensor rows = Tensors.zeros(any.scalar_type(), batch, longest, any.size(1));
        long[] mask = new long[Math.toIntExact(batch * longest)];
        PromptTargets targets = PromptTargets.none(mask.length);
        boolean[] inside = new boolean[Math.toIntExact(batch)];
        boolean some = false;
        for (int g = 0; g < groups.size(); g++) {
            Tensor part = parts.get(g);
            if (part != null) {
                RowGroup group = groups.get(g);
                Tensor shaped = part.unsqueeze(0).expand(group.size(batch), -1, -1);
                rows = group.scatterInto(rows, RowGroup.padded(shaped, longest - part.size(0), 1));
                setTargets(targets, mask, site, group, batch, longest, part.size(0));
                if (isInside(group, site)) {
                    some = true;
                    for (long row : group.indices(batch)) {
                        inside[(int) row] = true;
                    }
                }
            }
        }
        return new SoftPrompt(rows, Tensors.of(mask, batch, longest), targets, some ? inside : null);
    }

    private static boolean isInside(RowGroup group, Site site) {
        List<Effect.Prompt> prompts = group.stack().effects(site, Effect.Prompt.class);
        boolean inside = prompts.get(0).inside();
        if (prompts.stream().anyMatch(prompt -> prompt.inside() != inside)) {
            throw new InputException(
                    "two prompts act on a row, one before its text and one inside: choose one of them");
        }
        if (inside && !(site instanceof Stream)) {
            throw new IllegalStateException("a prompt inside the text acts on " + site.name() + ", expected the stream"
                    + " into the first layer: at an embedding the text has no first position yet");
        }
        return inside;
    }

    /** Writes where the prompts of a group are, and what they should predict: they end at the last row of the longest. */
    private static void setTargets(
            PromptTargets all, long[] mask, Site site, RowGroup group, long batch, long longest, long length) {
        for (long row : group.indices(batch)) {
            int end = Math.toIntExact((row + 1) * longest);
            int at = Math.toIntExact(end - length);
            Arrays.fill(mask, at, end, 1);
            for (Effect.Prompt prompt : group.stack().effects(site, Effect.Prompt.class)) {
                prompt.targets().copyInto(all, at);
                at += prompt.length();
            }
        }
    }
}
