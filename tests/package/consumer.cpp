// The same library from C++: the header as it stands, by the target of CMake.

#include <ggpfn.h>

#include <iostream>
#include <memory>

int main()
{
    ggpfn_model *handle = nullptr;
    if (ggpfn_model_shipped(&handle) != GGPFN_OK)
        return 1;
    std::unique_ptr<ggpfn_model, void (*)(ggpfn_model *)> model(handle, ggpfn_model_free);
    ggpfn_model_info info{};
    info.struct_size = sizeof info;
    if (ggpfn_model_describe(model.get(), &info) != GGPFN_OK || info.views == 0)
        return 1;
    std::cout << "ggpfn " << ggpfn_version() << ", model " << info.sha256 << "\n";
}
