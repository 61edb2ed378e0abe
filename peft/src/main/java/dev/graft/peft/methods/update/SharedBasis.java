package dev.graft.peft.methods.update;

import dev.graft.formats.InputException;
import dev.graft.models.sites.Linear;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.StringViewOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Corresponding layers of different blocks, and the basis V {@code [in, in]} that FRoD computes for their weights: the higher-order generalised
 * singular value decomposition of PEFT's {@code frod/model.py}.
 *
 * @param category PEFT's name of them, such as {@code self_attn_q_proj}
 * @param layers the layers in the order of their blocks; if a block of an encoder-decoder has two, the later one
 */
record SharedBasis(String category, List<Linear> layers) {
    private static final double SINGULAR = 1e-6;

    /** The categories of these layers by name. */
    static List<SharedBasis> of(List<Linear> sites) {
        SortedMap<Integer, Map<String, Linear>> blocks = new TreeMap<>();
        TreeSet<String> categories = new TreeSet<>();
        for (int i = 0; i < sites.size(); i++) {
            String category = category(sites.get(i));
            categories.add(category);
            blocks.computeIfAbsent(block(sites.get(i).name(), i), block -> new LinkedHashMap<>())
                    .put(category, sites.get(i));
        }
        List<SharedBasis> bases = new ArrayList<>();
        for (String category : categories) {
            List<Linear> layers = new ArrayList<>();
            blocks.values().forEach(block -> {
                if (block.containsKey(category)) {
                    layers.add(block.get(category));
                }
            });
            bases.add(new SharedBasis(category, layers));
        }
        for (Linear site : sites) {
            SharedBasis own = bases.stream()
                    .filter(basis -> basis.category.equals(category(site)))
                    .findFirst()
                    .orElseThrow();
            if (own.in() != site.in()) {
                throw new InputException("target_modules: " + site.name() + " has " + site.in() + " inputs and "
                        + own.layers.get(0).name() + " " + own.in()
                        + ", but FRoD finds one basis for both; choose one of them");
            }
        }
        return bases;
    }

    /**
     * Returns the last two parts of a module's path, {@code self_attn_q_proj}, or the last one within a numbered module.
     */
    static String category(Linear site) {
        String[] parts = site.name().split("\\.");
        int n = parts.length;
        if (n == 1 || isNumber(parts[n - 2])) {
            return parts[n - 1];
        }
        String category = parts[n - 2] + "_" + parts[n - 1];
        boolean attention = n >= 3 && parts[n - 3].equals("attention");
        return category.equals("output_dense") && attention ? "attention_output" : category;
    }

    /** The number behind {@code layers} in a module's path, else the first number in it. */
    private static int block(String module, int otherwise) {
        List<String> parts = List.of(module.split("\\."));
        int list = parts.indexOf("layers");
        if (list >= 0 && list + 1 < parts.size() && isNumber(parts.get(list + 1))) {
            return Integer.parseInt(parts.get(list + 1));
        }
        return parts.stream()
                .filter(SharedBasis::isNumber)
                .findFirst()
                .map(Integer::parseInt)
                .orElse(otherwise);
    }

    private static boolean isNumber(String part) {
        return !part.isEmpty() && part.chars().allMatch(c -> c >= '0' && c <= '9');
    }

    long in() {
        return layers.get(0).in();
    }

    /**
     * Computes V: with the weights' stack {@code Q R}, it is {@code Rᵀ Z} for the eigenvectors Z of the mean of {@code (Qᵢᵀ Qᵢ + α I)⁻¹}. If the
     * stack has fewer rows than columns, V is its right singular vectors and their completion.
     *
     * @param alpha keeps the inverses stable for similar layers
     */
    Tensor find(double alpha) {
        Tensor[] weights = layers.stream()
                .map(layer -> Ops.to(layer.weight().detach(), ScalarType.Float))
                .toArray(Tensor[]::new);
        Tensor stack = Ops.cat(0, weights);
        if (stack.size(0) < in()) {
            return torch.linalg_svd(stack, true, new StringViewOptional())
                    .get2()
                    .t();
        }
        var qr = torch.linalg_qr(stack);
        Tensor ridge = torch.eye(in()).mul(new Scalar(alpha));
        Tensor sum = Tensors.zeros(ScalarType.Float, in(), in());
        long start = 0;
        for (Tensor weight : weights) {
            Tensor q = qr.get0().narrow(0, start, weight.size(0));
            sum = sum.add(torch.linalg_inv(q.t().matmul(q).add(ridge)));
            start += weight.size(0);
        }
        Tensor vectors = torch.linalg_eigh(Ops.scale(sum, 1.0 / weights.length)).get1();
        return qr.get1().t().matmul(vectors);
    }

    /**
     * Returns {@code W V⁻ᵀ} {@code [out, in]}, the part of a layer's weight outside V; by V's pseudo-inverse if it is singular.
     */
    static Tensor left(Linear site, Tensor v) {
        Tensor weight = Ops.to(site.weight().detach(), ScalarType.Double);
        Tensor basis = Ops.to(v.detach(), ScalarType.Double);
        var solved = torch.linalg_solve_ex(basis, weight.t(), true, false);
        boolean singular = solved.get1().ne(new Scalar(0)).item_bool();
        Tensor left = singular
                ? weight.matmul(torch.linalg_pinv(basis, SINGULAR, false).t())
                : solved.get0().t();
        return Ops.to(left, ScalarType.Float);
    }
}
