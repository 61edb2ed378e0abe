// Products of bf16 matrices of any size in AMX's tiles, with sums in fp32. Nothing is compiled for a size, and each row of
// an answer is summed up in the same order whatever rows stand beside it.

#include <immintrin.h>

using uint16 = unsigned short;
using jlong = long long;
using jint = int;

namespace {

// Values of a matrix one row or one column after another.
struct Matrix {
    const uint16 *values;
    jlong row;
    jlong column;

    bool by_rows() const { return column == 1; }
    const uint16 *at(jlong i, jlong j) const { return values + i * row + j * column; }
    Matrix transposed() const { return {values, column, row}; }
};

constexpr jlong TILE = 16;    // rows of a tile
constexpr jlong PAIR = 32;    // values of a row of a tile, and rows and columns of what is made at once
constexpr jlong PANEL = 49152;  // values of columns that are put in order at once
constexpr jlong DEEP = 1536;  // rows that are
constexpr jlong KEPT = 1 << 19;
constexpr jlong LINE = 32;    // values of a line of a cache

struct alignas(64) Scratch {
    uint16 panels[2][PANEL];
    uint16 rows[KEPT];
    float sums[2][PAIR * PAIR];
};

thread_local Scratch scratch;

struct alignas(64) Tiles {
    unsigned char palette = 1;
    unsigned char start = 0;
    unsigned char unused[14] = {};
    uint16 bytes[16] = {};
    unsigned char rows[16] = {};
};

jlong least(jlong a, jlong b) { return a < b ? a : b; }

__mmask32 first(jlong count) {
    return count >= PAIR ? ~0u : count <= 0 ? 0u : (1u << count) - 1;
}

// The transpose of 16 x 16 numbers of 32 bits.
inline void transpose(__m512i *r) {
    __m512i t[16];
    for (int i = 0; i < 8; i++) {
        t[2 * i] = _mm512_unpacklo_epi32(r[2 * i], r[2 * i + 1]);
        t[2 * i + 1] = _mm512_unpackhi_epi32(r[2 * i], r[2 * i + 1]);
    }
    for (int i = 0; i < 4; i++) {
        r[4 * i] = _mm512_unpacklo_epi64(t[4 * i], t[4 * i + 2]);
        r[4 * i + 1] = _mm512_unpackhi_epi64(t[4 * i], t[4 * i + 2]);
        r[4 * i + 2] = _mm512_unpacklo_epi64(t[4 * i + 1], t[4 * i + 3]);
        r[4 * i + 3] = _mm512_unpackhi_epi64(t[4 * i + 1], t[4 * i + 3]);
    }
    for (int i = 0; i < 4; i++) {
        t[i] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0x88);
        t[i + 4] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0xdd);
        t[i + 8] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0x88);
        t[i + 12] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0xdd);
    }
    for (int i = 0; i < 4; i++) {
        r[i] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88);
        r[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0xdd);
        r[i + 4] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0x88);
        r[i + 12] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0xdd);
    }
}

// 32 rows of up to 32 values each, by pairs of rows: the first 16 columns, then the others, as a tile of the second factor.
inline void interleave(const uint16 *from, jlong next, jlong rows, jlong columns, __m512i *low, __m512i *high) {
    alignas(64) static const uint16 FIRST[32] = {0, 32, 1, 33, 2,  34, 3,  35, 4,  36, 5,  37, 6,  38, 7,  39,
                                                 8, 40, 9, 41, 10, 42, 11, 43, 12, 44, 13, 45, 14, 46, 15, 47};
    const __m512i lower = _mm512_load_si512(FIRST);
    const __m512i upper = _mm512_add_epi16(lower, _mm512_set1_epi16(16));
    const __mmask32 some = first(columns);
    for (int i = 0; i < 16; i++) {
        __m512i a = _mm512_maskz_loadu_epi16(2 * i < rows ? some : 0, from + 2 * i * next);
        __m512i b = _mm512_maskz_loadu_epi16(2 * i + 1 < rows ? some : 0, from + (2 * i + 1) * next);
        low[i] = _mm512_permutex2var_epi16(a, lower, b);
        high[i] = _mm512_permutex2var_epi16(a, upper, b);
    }
}

inline void lines(const uint16 *from, jlong next, jlong rows, jlong columns, __m512i *r) {
    const __mmask32 some = first(columns);
    for (int i = 0; i < 16; i++) {
        r[i] = _mm512_maskz_loadu_epi16(i < rows ? some : 0, from + i * next);
    }
}

inline void put(uint16 *to, jlong next, const __m512i *r) {
    for (int i = 0; i < 16; i++) {
        _mm512_store_si512(to + i * next, r[i]);
    }
}

// Some columns of the second factor as tiles: for each 32 columns, for each 32 rows, two tiles, which are made one pair after the other.
struct Panel {
    Matrix b;
    jlong k;
    jlong n;
    uint16 *tiles;
    jlong i = 0;
    jlong j = 0;

    bool whole() const { return j >= n; }
    jlong pairs() const { return (n + PAIR - 1) / PAIR * ((k + PAIR - 1) / PAIR); }

    void pair() {
        __m512i low[16], high[16];
        if (b.by_rows()) {
            interleave(b.at(i, j), b.row, k - i, n - j, low, high);
        } else {
            lines(b.at(i, j), b.column, n - j, k - i, low);
            lines(b.at(i, j + TILE), b.column, n - j - TILE, k - i, high);
            transpose(low);
            transpose(high);
        }
        put(tiles, PAIR, low);
        put(tiles + 512, PAIR, high);
        tiles += 1024;
        i += PAIR;
        if (i >= k) {
            i = 0;
            j += PAIR;
        }
    }

    void rest() {
        while (!whole()) {
            pair();
        }
    }
};

// 32 rows of the first factor one after another, those that aren't there 0.
void copy(const Matrix &a, jlong m, jlong k, jlong width, uint16 *to) {
    for (jlong i = 0; i < k; i += PAIR) {
        __m512i low[16], high[16];
        if (a.by_rows()) {
            lines(a.at(0, i), a.row, m, k - i, low);
            lines(a.at(TILE, i), a.row, m - TILE, k - i, high);
        } else {
            interleave(a.at(0, i), a.column, k - i, m, low, high);
            transpose(low);
            transpose(high);
        }
        put(to + i, width, low);
        put(to + TILE * width + i, width, high);
    }
}

// Asks for the part of the second factor that is put in order next, a few lines for each step of a product.
struct Ahead {
    const uint16 *values;
    jlong next;   // from one row or column to the next one
    jlong size;   // of a row or column
    jlong count;  // of them
    jlong each;
    jlong at;

    // So many columns of k rows of b, within so many steps.
    static Ahead of(const Matrix &b, jlong left, jlong k, jlong columns, jlong steps) {
        if (columns <= 0) {
            return {nullptr, 0, 0, 0, 0, 0};
        }
        jlong size = b.by_rows() ? columns : k;
        jlong count = b.by_rows() ? k : columns;
        jlong lines = (size + LINE - 1) / LINE * count;
        return {b.at(0, left), b.by_rows() ? b.row : b.column, size, count, (lines + steps - 1) / steps, 0};
    }

    void step() {
        for (jlong i = 0; i < each && count > 0; i++) {
            _mm_prefetch(reinterpret_cast<const char *>(values + at), _MM_HINT_T1);
            at += LINE;
            if (at >= size) {
                at = 0;
                values += next;
                count--;
            }
        }
    }
};

inline float value(uint16 x) { return __builtin_bit_cast(float, static_cast<unsigned>(x) << 16); }

inline __m512 wide(__m256i x) { return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(x), 16)); }

// Up to 32 sums of a row, with what was there before unless that is null, rounded to bf16.
inline void store(__m512 low, __m512 high, const uint16 *before, uint16 *y, __mmask32 some) {
    if (before) {
        __m512i values = _mm512_maskz_loadu_epi16(some, before);
        low = _mm512_add_ps(low, wide(_mm512_castsi512_si256(values)));
        high = _mm512_add_ps(high, wide(_mm512_extracti64x4_epi64(values, 1)));
    }
    _mm512_mask_storeu_epi16(y, some, reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high, low)));
}

inline void store(__m512 low, __m512 high, const float *before, float *y, __mmask32 some) {
    const __mmask16 left = static_cast<__mmask16>(some);
    const __mmask16 right = static_cast<__mmask16>(some >> 16);
    if (before) {
        low = _mm512_add_ps(low, _mm512_maskz_loadu_ps(left, before));
        high = _mm512_add_ps(high, _mm512_maskz_loadu_ps(right, before + TILE));
    }
    _mm512_mask_storeu_ps(y, left, low);
    _mm512_mask_storeu_ps(y + TILE, right, high);
}

inline void keep(float *sums) {
    _tile_stored(0, sums, 128);
    _tile_stored(1, sums + TILE, 128);
    _tile_stored(2, sums + TILE * PAIR, 128);
    _tile_stored(3, sums + TILE * PAIR + TILE, 128);
}

// Sums [32, 32] as rows of the answer, some for each step of the product after it.
template <typename Y>
struct Rows {
    const float *sums = nullptr;
    const Y *before = nullptr;
    Y *y = nullptr;
    jlong next = 0;
    jlong count = 0;
    __mmask32 some = 0;
    __m512 low = {};
    __m512 high = {};

    // What is added to each row: so many values, or none.
    void add(const uint16 *bias) {
        __m512i values = bias ? _mm512_maskz_loadu_epi16(some, bias) : _mm512_setzero_si512();
        low = wide(_mm512_castsi512_si256(values));
        high = wide(_mm512_extracti64x4_epi64(values, 1));
    }

    void row() {
        store(_mm512_add_ps(_mm512_load_ps(sums), low), _mm512_add_ps(_mm512_load_ps(sums + TILE), high), before, y, some);
        sums += PAIR;
        before = before ? before + next : nullptr;
        y += next;
        count--;
    }

    void rest() {
        while (count > 0) {
            row();
        }
    }
};

// As its columns.
template <typename Y>
void columns(const float *sums, const uint16 *bias, Y *y, jlong column, jlong m, jlong n, bool sum) {
    const __mmask32 some = first(m);
    for (jlong half = 0; half < PAIR && half < n; half += TILE) {
        __m512i low[16], high[16];
        for (int i = 0; i < 16; i++) {
            low[i] = _mm512_load_si512(sums + i * PAIR + half);
            high[i] = _mm512_load_si512(sums + (TILE + i) * PAIR + half);
        }
        transpose(low);
        transpose(high);
        for (jlong i = 0; i < TILE && i < n - half; i++) {
            const __m512 added = _mm512_set1_ps(bias ? value(bias[half + i]) : 0.0f);
            store(
                _mm512_add_ps(_mm512_castsi512_ps(low[i]), added), _mm512_add_ps(_mm512_castsi512_ps(high[i]), added),
                sum ? y + (half + i) * column : nullptr, y + (half + i) * column, some);
        }
    }
}

// What is done in between: tiles work while other units put the answer before into its place and the next panel in order.
template <typename Y>
struct Beside {
    Rows<Y> rows;
    Panel panel;
    Ahead ahead;
    jlong pairs;
    jlong steps;
    jlong due = 0;

    void step() {
        if (rows.count > 0) {
            rows.row();
        }
        if (rows.count > 0) {
            rows.row();
        }
        ahead.step();
        due += pairs;
        while (due >= steps && !panel.whole()) {
            due -= steps;
            panel.pair();
        }
    }
};

template <typename Y>
inline void multiply(const uint16 *a, jlong row, const uint16 *panel, jlong k, Beside<Y> &beside) {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (jlong i = 0; i < k; i += PAIR, panel += 1024) {
        _tile_loadd(4, a + i, row * 2);
        _tile_loadd(6, panel, 64);
        _tile_loadd(7, panel + 512, 64);
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        _tile_loadd(5, a + TILE * row + i, row * 2);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
        beside.step();
    }
}

// y (+)= a b for m x k by k x n, k at most DEEP
template <typename Y>
void product(
    const Matrix &a, const Matrix &b, const uint16 *bias, Y *y, jlong row, jlong column, jlong m, jlong n, jlong k,
    bool sum) {
    const jlong depth = (k + PAIR - 1) / PAIR * PAIR;
    const jlong most = least(1024, KEPT / depth / PAIR * PAIR);
    const jlong width = PANEL / depth / PAIR * PAIR;
    for (jlong top = 0; top < m; top += most) {
        const jlong bottom = least(m, top + most);
        // Rows that tiles can't be loaded from as they are: all, or the last ones.
        const bool direct = a.by_rows() && k == depth;
        const jlong copied = direct ? bottom - (bottom - top) % PAIR : top;
        for (jlong i = copied; i < bottom; i += PAIR) {
            copy({a.at(i, 0), a.row, a.column}, bottom - i, k, depth, scratch.rows + (i - copied) * depth);
        }
        const jlong blocks = (bottom - top + PAIR - 1) / PAIR;
        Panel panel = {b, k, least(width, n), scratch.panels[0]};
        panel.rest();
        Beside<Y> beside = {};
        int turn = 0;
        int kept = 0;
        for (jlong left = 0; left < n; left += width, turn ^= 1) {
            const jlong columns_ = least(width, n - left);
            const jlong steps = blocks * ((columns_ + PAIR - 1) / PAIR) * (depth / PAIR);
            const uint16 *tiles = scratch.panels[turn];
            beside.panel = {{b.at(0, left + width), b.row, b.column}, k, least(width, n - left - width), scratch.panels[turn ^ 1]};
            beside.ahead = Ahead::of(b, left + 2 * width, k, least(width, n - left - 2 * width), steps);
            beside.pairs = beside.panel.whole() ? 0 : beside.panel.pairs();
            beside.steps = steps;
            beside.due = 0;
            for (jlong i = top; i < bottom; i += PAIR) {
                const jlong rows = least(PAIR, bottom - i);
                const uint16 *its = i < copied ? a.at(i, 0) : scratch.rows + (i - copied) * depth;
                const jlong next = i < copied ? a.row : depth;
                for (jlong j = 0; j < columns_; j += PAIR) {
                    multiply(its, next, tiles + j * depth, depth, beside);
                    beside.rows.rest();
                    float *sums = scratch.sums[kept ^= 1];
                    keep(sums);
                    Y *place = y + i * row + (left + j) * column;
                    const uint16 *its_bias = bias ? bias + left + j : nullptr;
                    if (column == 1) {
                        beside.rows = {sums, sum ? place : nullptr, place, row, rows, first(columns_ - j)};
                        beside.rows.add(its_bias);
                    } else {
                        columns(sums, its_bias, place, column, rows, columns_ - j, sum);
                    }
                }
            }
            beside.panel.rest();
        }
        beside.rows.rest();
    }
}

template <typename Y>
void products(
    Matrix a, Matrix b, const uint16 *bias, Y *y, jlong row, jlong column, jlong m, jlong n, jlong k, bool sum) {
    // Columns of the first factor are put in order at a higher price than rows of the second.
    const bool turned = !bias && (column != 1 || (!a.by_rows() && b.by_rows() && m > n));
    for (jlong start = 0; start < k; start += DEEP) {
        jlong depth = least(DEEP, k - start);
        Matrix left = {a.at(0, start), a.row, a.column};
        Matrix right = {b.at(start, 0), b.row, b.column};
        if (turned) {
            product(right.transposed(), left.transposed(), nullptr, y, column, row, n, m, depth, sum || start > 0);
        } else {
            product(left, right, start > 0 ? nullptr : bias, y, row, column, m, n, depth, sum || start > 0);
        }
    }
}

// A matrix [n, k] as oneDNN's products read it with AMX (BA16a32b2a): for each 32 columns, for each 32 rows, 16 pairs of rows.
constexpr jlong BLOCK = 32;

struct Packed {
    const uint16 *values;
    jlong n;
    jlong k;

    const uint16 *block(jlong i) const { return values + i * BLOCK * k; }
    jlong blocks() const { return (n + BLOCK - 1) / BLOCK; }
};

struct Behind {
    Rows<uint16> rows;
    Ahead ahead;

    void step() {
        if (rows.count > 0) {
            rows.row();
        }
        if (rows.count > 0) {
            rows.row();
        }
        ahead.step();
    }
};

// Up to 16 or 32 rows times 32 columns of a block.
template <bool FEW>
inline void multiply(const uint16 *a, jlong row, const uint16 *block, jlong k, Behind &behind) {
    _tile_zero(0);
    _tile_zero(1);
    if (!FEW) {
        _tile_zero(2);
        _tile_zero(3);
    }
    for (jlong i = 0; i < k; i += PAIR, block += PAIR * BLOCK) {
        _tile_loadd(4, a + i, row * 2);
        _tile_loadd(6, block, 4 * BLOCK);
        _tile_loadd(7, block + PAIR, 4 * BLOCK);
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        if (!FEW) {
            _tile_loadd(5, a + TILE * row + i, row * 2);
            _tile_dpbf16ps(2, 5, 6);
            _tile_dpbf16ps(3, 5, 7);
        }
        behind.step();
    }
}

// Some blocks of columns of y = before + x b + bias, for k a multiple of 32.
void linear(
    const uint16 *x, const Packed &b, const uint16 *bias, const uint16 *before, uint16 *y, jlong m, jlong from, jlong to) {
    const jlong k = b.k;
    const jlong most = least(1024, KEPT / k / PAIR * PAIR);
    Behind behind = {};
    int kept = 0;
    for (jlong top = 0; top < m; top += most) {
        const jlong bottom = least(m, top + most);
        const jlong copied = bottom - (bottom - top) % PAIR;
        if (copied < bottom) {
            copy({x + copied * k, k, 1}, bottom - copied, k, k, scratch.rows);
        }
        for (jlong block = from; block < to; block++) {
            const jlong steps = (bottom - top + PAIR - 1) / PAIR * (k / PAIR);
            const jlong lines = block + 1 < to ? BLOCK * k / LINE : 0;
            behind.ahead = {b.block(block + 1), 0, BLOCK * k, lines > 0, (lines + steps - 1) / steps, 0};
            for (jlong i = top; i < bottom; i += PAIR) {
                const jlong rows = least(PAIR, bottom - i);
                const uint16 *its = i < copied ? x + i * k : scratch.rows;
                const uint16 *tiles = b.block(block);
                rows <= TILE ? multiply<true>(its, k, tiles, k, behind) : multiply<false>(its, k, tiles, k, behind);
                behind.rows.rest();
                float *sums = scratch.sums[kept ^= 1];
                keep(sums);
                const jlong column = block * BLOCK;
                const jlong place = i * b.n + column;
                behind.rows = {sums, before ? before + place : nullptr, y + place, b.n, rows, first(b.n - column)};
                behind.rows.add(bias ? bias + column : nullptr);
            }
        }
    }
    behind.rows.rest();
}

// The registers as these products use them, and afterwards as they were.
struct Configured {
    Tiles before;

    Configured() {
        _tile_storeconfig(&before);
        Tiles all;
        for (int tile = 0; tile < 8; tile++) {
            all.bytes[tile] = 64;
            all.rows[tile] = TILE;
        }
        _tile_loadconfig(&all);
    }
    ~Configured() { _tile_loadconfig(&before); }
};

extern "C" {
void *dlopen(const char *, int);
void *dlsym(void *, const char *);
}

// The threads of the OpenMP that libtorch and oneDNN use: others would wait for these, which wait actively for a while.
struct Team {
    void (*parallel)(void (*)(void *), void *, unsigned, unsigned) = nullptr;
    int (*size)() = nullptr;
    int (*member)() = nullptr;

    static Team found() {
        constexpr int LAZY = 1, LOADED = 4;
        Team team;
        if (void *library = dlopen("libgomp.so.1", LAZY | LOADED)) {
            team.parallel = reinterpret_cast<decltype(team.parallel)>(dlsym(library, "GOMP_parallel"));
            team.size = reinterpret_cast<decltype(team.size)>(dlsym(library, "omp_get_num_threads"));
            team.member = reinterpret_cast<decltype(team.member)>(dlsym(library, "omp_get_thread_num"));
        }
        return team;
    }

    bool is_there() const { return parallel && size && member; }
};

Team team;

struct Job {
    const uint16 *x;
    Packed b;
    const uint16 *bias;
    const uint16 *before;
    uint16 *y;
    jlong m;

    void part(jlong member, jlong size) const {
        Configured tiles;
        linear(x, b, bias, before, y, m, b.blocks() * member / size, b.blocks() * (member + 1) / size);
    }

    static void run(void *job) { static_cast<const Job *>(job)->part(team.member(), team.size()); }
};

}  // namespace

#define NATIVE(type, name) extern "C" __attribute__((visibility("default"))) type Java_dev_graft_tensor_Kernels_##name

// Asks Linux for the tiles' registers: 1 if this process may use them.
NATIVE(jint, tiles)(void *, void *) {
    long answer;
    __asm__ volatile("syscall" : "=a"(answer) : "a"(158L), "D"(0x1023L), "S"(18L) : "rcx", "r11", "memory");
    team = Team::found();
    return answer == 0;
}

NATIVE(void, linear)
(void *, void *, jlong x, jlong b, jlong bias, jlong before, jlong y, jlong m, jlong n, jlong k, jint threads) {
    Job job = {reinterpret_cast<const uint16 *>(x),      {reinterpret_cast<const uint16 *>(b), n, k},
               reinterpret_cast<const uint16 *>(bias),   reinterpret_cast<const uint16 *>(before),
               reinterpret_cast<uint16 *>(y),            m};
    if (threads > 1 && team.is_there()) {
        team.parallel(Job::run, &job, static_cast<unsigned>(threads), 0);
    } else {
        job.part(0, 1);
    }
}

NATIVE(void, products)
(void *, void *, jlong a, jlong aRow, jlong aColumn, jlong aNext, jlong b, jlong bRow, jlong bColumn, jlong bNext,
 jlong bias, jlong y, jint yFloat, jlong yRow, jlong yColumn, jlong yNext, jlong m, jlong n, jlong k, jlong count, jint sum) {
    Configured tiles;
    const uint16 *added = reinterpret_cast<const uint16 *>(bias);
    for (jlong i = 0; i < count; i++) {
        Matrix left = {reinterpret_cast<const uint16 *>(a) + i * aNext, aRow, aColumn};
        Matrix right = {reinterpret_cast<const uint16 *>(b) + i * bNext, bRow, bColumn};
        if (yFloat) {
            products(left, right, added, reinterpret_cast<float *>(y) + i * yNext, yRow, yColumn, m, n, k, sum);
        } else {
            products(left, right, added, reinterpret_cast<uint16 *>(y) + i * yNext, yRow, yColumn, m, n, k, sum);
        }
    }
}
