// nvrtc_compile IN.cu OUT.ptx ARCHITECTURE [options]: compiles one file to PTX with NVRTC, found through the loader's path. It needs neither
// a driver nor any header of CUDA.
#include <dlfcn.h>

#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace {

void* library;

template <class F> F Find(const char* name)
{
    F f = reinterpret_cast<F>(dlsym(library, name));
    if (!f) { std::fprintf(stderr, "NVRTC has no %s\n", name); std::exit(2); }
    return f;
}

std::string Text(void* program, const char* sizeName, const char* textName)
{
    size_t size = 0;
    Find<int (*)(void*, size_t*)>(sizeName)(program, &size);
    std::string text(size, '\0');
    Find<int (*)(void*, char*)>(textName)(program, text.data());
    while (!text.empty() && text.back() == '\0') text.pop_back();
    return text;
}

}

int main(int count, char** arguments)
{
    if (count < 4) { std::fprintf(stderr, "usage: nvrtc_compile IN.cu OUT.ptx ARCHITECTURE [options]\n"); return 2; }
    library = dlopen("libnvrtc.so.12", RTLD_NOW);
    if (!library) { std::fprintf(stderr, "%s\n", dlerror()); return 2; }
    std::ifstream in(arguments[1]);
    std::stringstream source;
    source << in.rdbuf();
    if (!in) { std::fprintf(stderr, "cannot read %s\n", arguments[1]); return 2; }
    void* program = nullptr;
    auto create = Find<int (*)(void**, const char*, const char*, int, const char* const*, const char* const*)>("nvrtcCreateProgram");
    create(&program, source.str().c_str(), arguments[1], 0, nullptr, nullptr);
    std::string architecture = std::string("-arch=") + arguments[3];
    std::vector<const char*> options{architecture.c_str(), "-std=c++17", "--fmad=false"};
    for (int i = 4; i < count; i++) options.push_back(arguments[i]);
    int result = Find<int (*)(void*, int, const char* const*)>("nvrtcCompileProgram")(program, int(options.size()), options.data());
    std::string log = Text(program, "nvrtcGetProgramLogSize", "nvrtcGetProgramLog");
    if (!log.empty()) std::fprintf(stderr, "%s\n", log.c_str());
    if (result != 0) return 1;
    std::ofstream out(arguments[2]);
    out << Text(program, "nvrtcGetPTXSize", "nvrtcGetPTX");
    return out ? 0 : 1;
}
